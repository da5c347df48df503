/*
 * The one published list of reasons: `sidelock help reasons` prints it, the
 * audit log carries its codes, and the HTTP status and WebSocket close code of
 * every denial come from it. Codes are a contract: add, never rename.
 *
 * A reason is also the verdict: REASON_ALLOWED lets pass, everything else
 * refuses, and the zero value refuses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * REASON(symbol, code, HTTP status before 101, close code after 101, text)
 * A status or close code of 0 means the reason cannot arise at that stage.
 * Statuses: RFC 9110 section 15, RFC 6585. Close codes: RFC 6455 section 7.4.1
 * and the IANA registry (1012-1014).
 */
#define REASON_TABLE(REASON)                                                                       \
    REASON(INTERNAL, "internal_error", 500, 1011, "Sidelock itself failed")                        \
    REASON(ALLOWED, "allowed", 0, 0, "admitted")                                                   \
    /* The request is malformed */                                                                 \
    REASON(MALFORMED, "malformed_request", 400, 0, "not a well-formed HTTP/1.1 request")           \
    REASON(HTTP_VERSION, "http_version", 400, 0, "only HTTP/1.1 is served")                        \
    REASON(HEADER_DUPLICATE, "header_duplicate", 400, 0,                                           \
           "a header that may occur once was repeated")                                            \
    REASON(HEADER_INVALID, "header_invalid", 400, 0, "a header has a value that is not permitted") \
    REASON(PATH_INVALID, "path_invalid", 400, 0, "the path is not in canonical form")              \
    REASON(UPGRADE_INVALID, "upgrade_invalid", 400, 0, "not a valid WebSocket upgrade request")    \
    REASON(WEBSOCKET_VERSION, "websocket_version", 426, 0, "only WebSocket version 13 is served")  \
    REASON(UPGRADE_REQUIRED, "upgrade_required", 426, 0, "this route is a WebSocket")              \
    REASON(SUBPROTOCOL_MISMATCH, "subprotocol_mismatch", 400, 0,                                   \
           "no subprotocol that this route speaks was offered")                                    \
    REASON(QUERY_INVALID, "query_invalid", 400, 0,                                                 \
           "a query parameter that may pass has a value that is not permitted")                    \
    REASON(HEADERS_TOO_LARGE, "headers_too_large", 431, 0, "the request headers are too large")    \
    REASON(LENGTH_REQUIRED, "length_required", 411, 0,                                             \
           "a body needs exactly one valid Content-Length")                                        \
    REASON(BODY_TOO_LARGE, "body_too_large", 413, 0, "the request body is too large")              \
    REASON(REQUEST_TIMEOUT, "request_timeout", 400, 0, "the request did not arrive in time")       \
    REASON(BODY_TOO_SLOW, "body_too_slow", 400, 0, "the request's body came too slowly")           \
    REASON(CONTENT_TYPE, "content_type", 415, 0, "the body is not of a type that can be vetted")   \
    REASON(CONTENT_ENCODING, "content_encoding", 415, 0, "an encoded body cannot be vetted")       \
    REASON(HEADER_MISMATCH, "header_mismatch", 400, 0, "a header does not say what the body says") \
    /* No valid session */                                                                         \
    REASON(CREDENTIAL_MISSING, "credential_missing", 401, 0, "a session token is required")        \
    REASON(CREDENTIAL_AMBIGUOUS, "credential_ambiguous", 401, 0,                                   \
           "more than one credential was presented")                                               \
    REASON(TOKEN_IN_QUERY, "token_in_query", 401, 0,                                               \
           "a token was sent in the URL; its session is revoked")                                  \
    REASON(TOKEN_IN_PATH, "token_in_path", 401, 0,                                                 \
           "a token was sent in the URL's path; its session is revoked")                           \
    REASON(TOKEN_IN_HEADER, "token_in_header", 401, 0,                                             \
           "a token was sent in a header other than Authorization; its session is revoked")        \
    REASON(TOKEN_MALFORMED, "token_malformed", 401, 0, "the token is not one of ours")             \
    REASON(TOKEN_SIGNATURE, "token_signature", 401, 0, "the token's signature does not verify")    \
    REASON(TOKEN_CLAIMS, "token_claims", 401, 0,                                                   \
           "a claim of the token is missing or of the wrong type or value")                        \
    REASON(TOKEN_EXPIRED, "token_expired", 401, 0, "the token has expired")                        \
    REASON(TOKEN_NOT_YET_VALID, "token_not_yet_valid", 401, 0, "the token is not valid yet")       \
    REASON(TOKEN_WRONG_SURFACE, "token_wrong_surface", 401, 0, "the token is for another surface") \
    REASON(TICKET_INVALID, "ticket_invalid", 401, 0, "the ticket is unknown, used or expired")     \
    REASON(COOKIE_INVALID, "cookie_invalid", 401, 0, "the login cookie is not one of ours")        \
    REASON(LOGIN_INVALID, "login_invalid", 401, 0, "the login code is unknown, used or expired")   \
    REASON(SESSION_UNKNOWN, "session_unknown", 401, 0, "the session does not exist")               \
    REASON(SESSION_REVOKED, "session_revoked", 401, 1008, "the session was revoked")               \
    REASON(SESSION_EXPIRED, "session_expired", 401, 1008, "the session has expired")               \
    REASON(SESSION_USED, "session_used", 401, 0, "the single-use session was used already")        \
    REASON(STORE_RESTORED, "store_restored", 401, 1008,                                            \
           "the store was restored from a backup after the session was made")                      \
    REASON(PARAMS_CHANGED, "params_changed", 401, 1008,                                            \
           "the parameter record changed after the session was made")                              \
    /* Known, but not permitted */                                                                 \
    REASON(HOST_MISMATCH, "host_mismatch", 403, 0, "the Host header does not name this surface")   \
    REASON(ORIGIN_MISMATCH, "origin_mismatch", 403, 0, "the Origin is not permitted")              \
    REASON(CALLER_UNKNOWN, "caller_unknown", 403, 0,                                               \
           "the calling process could not be identified")                                          \
    REASON(CALLER_MISMATCH, "caller_mismatch", 403, 0, "the calling user is not permitted")        \
    REASON(COOKIE_ORIGIN, "cookie_origin", 403, 0,                                                 \
           "the login cookie counts only for requests from the surface's own pages")               \
    REASON(CERTIFICATE_REFUSED, "certificate_refused", 403, 0,                                     \
           "no permitted client certificate was presented")                                        \
    REASON(PARAMS_REQUIRED, "params_required", 403, 0,                                             \
           "this route needs a session with a parameter record")                                   \
    REASON(EXECUTABLE_REFUSED, "executable_refused", 403, 0,                                       \
           "the parameter record names a command that may not run")                                \
    REASON(ROUTE_UNKNOWN, "route_unknown", 404, 0, "no route of this surface has this path")       \
    REASON(MCP_SESSION_UNKNOWN, "mcp_session_unknown", 404, 0,                                     \
           "this session opened no MCP session with that id")                                      \
    REASON(METHOD_REFUSED, "method_refused", 405, 0, "the method is not permitted on this route")  \
    /* Not now */                                                                                  \
    REASON(SURFACE_KILLED, "surface_killed", 503, 1008, "the surface's kill switch is on")         \
    REASON(CAPACITY, "at_capacity", 503, 1013, "too many connections")                             \
    REASON(GAVE_WAY, "gave_way", 503, 1013, "it was slow, and others needed the room")             \
    /* One party has as many as it may (policy/quota.h) */                                         \
    REASON(QUOTA_CONNECTIONS, "quota_connections", 503, 1013,                                      \
           "the session has as many connections as it may")                                        \
    REASON(QUOTA_BODIES, "quota_bodies", 503, 0,                                                   \
           "the session is sending as many bodies as it may")                                      \
    REASON(QUOTA_HELD, "quota_held", 503, 1013,                                                    \
           "the session keeps too much that is not whole, or not taken")                           \
    REASON(QUOTA_QUESTIONS, "quota_questions", 503, 0,                                             \
           "as many requests of the session or surface wait as may")                               \
    REASON(QUOTA_MCP_SESSIONS, "quota_mcp_sessions", 503, 0,                                       \
           "the session uses as many MCP sessions as it may")                                      \
    REASON(REFUSALS_EXCEEDED, "refusals_exceeded", 403, 1008,                                      \
           "too many of the session's messages were refused")                                      \
    REASON(ADMISSION_TIMEOUT, "admission_timeout", 503, 0, "the broker did not answer in time")    \
    REASON(AUDIT_UNAVAILABLE, "audit_unavailable", 503, 1011, "the audit log cannot be written")   \
    REASON(WORKER_LOST, "worker_lost", 503, 1011, "the process that served the connection ended")  \
    REASON(DRAINING, "shutting_down", 503, 1001, "Sidelock is shutting down")                      \
    REASON(WORKER_PROTOCOL, "worker_protocol", 500, 0,                                             \
           "a worker process said what none of ours says; it was ended")                           \
    /* The service behind */                                                                       \
    REASON(UPSTREAM_UNREACHABLE, "upstream_unreachable", 502, 1014,                                \
           "the service cannot be reached")                                                        \
    REASON(UPSTREAM_OWNER, "upstream_owner", 502, 1014,                                            \
           "somebody else may listen on the service's socket")                                     \
    REASON(UPSTREAM_TIMEOUT, "upstream_timeout", 504, 1014, "the service did not answer in time")  \
    REASON(UPSTREAM_REFUSED, "upstream_refused", 502, 1014, "the service refused the connection")  \
    REASON(UPSTREAM_PROTOCOL, "upstream_protocol", 502, 1014, "the service broke the protocol")    \
    REASON(UPSTREAM_GONE, "upstream_gone", 502, 1014, "the service closed without a close frame")  \
    /* The connection after 101 */                                                                 \
    REASON(CLIENT_CLOSED, "client_closed", 0, 1000, "the client closed the connection")            \
    REASON(UPSTREAM_CLOSED, "upstream_closed", 0, 1000, "the service closed the connection")       \
    REASON(CLIENT_PROTOCOL, "client_protocol", 0, 1002, "the client broke the WebSocket protocol") \
    REASON(IDLE_TIMEOUT, "idle_timeout", 0, 1001, "the connection was idle for too long")          \
    REASON(MESSAGE_TIMEOUT, "message_timeout", 400, 1008, "a message was not completed in time")   \
    REASON(WRITE_STALLED, "write_stalled", 0, 1008, "the client stopped reading")                  \
    REASON(BINARY_REFUSED, "binary_refused", 0, 1003,                                              \
           "binary messages are not permitted on this route")                                      \
    REASON(MESSAGE_TOO_BIG, "message_too_big", 413, 1009, "the message is larger than the limit")  \
    /* Bytes that are not strict JSON */                                                           \
    REASON(JSON_UTF8, "json_utf8", 400, 1007, "not valid UTF-8")                                   \
    REASON(JSON_SYNTAX, "json_syntax", 400, 1007, "not valid JSON")                                \
    REASON(JSON_NUL, "json_nul", 400, 1007, "a NUL character")                                     \
    REASON(JSON_SURROGATE, "json_surrogate", 400, 1007, "a surrogate that is not part of a pair")  \
    REASON(JSON_DUPLICATE_KEY, "json_duplicate_key", 400, 1007, "an object names a key twice")     \
    REASON(JSON_NUMBER, "json_number", 400, 1007, "a number out of range")                         \
    REASON(JSON_DEPTH, "json_depth", 400, 1007, "nested too deeply")                               \
    REASON(JSON_LIMIT, "json_limit", 400, 1007, "too many members")                                \
    /* JSON, but not a message that can be understood */                                           \
    REASON(MESSAGE_SHAPE, "message_shape", 400, 1008, "not a message of this dialect")             \
    REASON(MESSAGE_KEY, "message_key", 400, 1008,                                                  \
           "a key that is unknown or resembles a known one")                                       \
    REASON(MESSAGE_ID, "message_id", 400, 1008, "an id that is not a string or a safe integer")    \
    REASON(BATCH_REFUSED, "batch_refused", 400, 1008, "batches are not permitted")                 \
    /* Understood, and refused: to the end of the table */                                         \
    REASON(VERB_UNKNOWN, "verb_unknown", 400, 1008,                                                \
           "the dialect has no such verb in this direction")                                       \
    REASON(VERB_REFUSED, "verb_not_allowed", 403, 1008, "the verb is not on the allow list")       \
    REASON(TARGET_MISSING, "target_missing", 400, 1008, "the verb needs a target and has none")    \
    REASON(TARGET_AMBIGUOUS, "target_ambiguous", 400, 1008,                                        \
           "the target could be read in two ways")                                                 \
    REASON(TARGET_REFUSED, "target_not_allowed", 403, 1008, "the target is not on the allow list") \
    REASON(TARGET_LIMIT, "target_limit", 403, 1008, "more targets in one message than are vetted") \
    REASON(HANDLE_UNKNOWN, "handle_unknown", 403, 1008,                                            \
           "this session was given no task or event with that id")                                 \
    REASON(RESPONSE_UNEXPECTED, "response_unexpected", 403, 1008,                                  \
           "a response to no outstanding request")                                                 \
    REASON(REQUEST_ID_REUSED, "request_id_reused", 400, 1008,                                      \
           "the id of a request that is still outstanding")                                        \
    REASON(OUTSTANDING_LIMIT, "outstanding_limit", 403, 1008, "too many outstanding requests")     \
    REASON(VALUE_MISMATCH, "value_mismatch", 403, 1008,                                            \
           "a value differs from the stored parameter record")

enum reason {
#define REASON_SYMBOL(symbol, code, status, close, text) REASON_##symbol,
    REASON_TABLE(REASON_SYMBOL)
#undef REASON_SYMBOL
        REASON_COUNT
};

struct reason_info {
    const char *code;
    unsigned http_status;
    unsigned close_code;
    const char *text;
};

/* The table's row; an out-of-range value yields the row of REASON_INTERNAL. */
const struct reason_info *reason_info(enum reason reason);

static inline bool reason_allows(enum reason reason)
{
    return reason == REASON_ALLOWED;
}

/* The groups of the table. */
static inline bool reason_is_json(enum reason reason)
{
    return reason >= REASON_JSON_UTF8 && reason <= REASON_JSON_LIMIT;
}
static inline bool reason_is_shape(enum reason reason)
{
    return reason >= REASON_MESSAGE_SHAPE && reason <= REASON_BATCH_REFUSED;
}
static inline bool reason_is_policy(enum reason reason)
{
    return reason >= REASON_VERB_UNKNOWN && reason < REASON_COUNT;
}
