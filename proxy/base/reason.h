/*
 * The one published list of reasons: `sidelock help reasons` prints it, and what denies has its
 * codes, statuses and close codes from here. Codes are a contract: add, never rename. A reason is
 * also the verdict: REASON_ALLOWED lets pass, all else refuses, and so does the zero value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * REASON(symbol, code, HTTP status before 101, close code after 101, text)
 * CAUSE(symbol, code, cause, status, close code, text): one thing that a reason stands for, whose
 * code and numbers are those of the row above; its cause tells it apart, in answers and the log.
 * A status or close code of 0 means the reason cannot arise at that stage.
 * Statuses: RFC 9110 section 15, RFC 6585. Close codes: RFC 6455 section 7.4.1, IANA (1012-1014).
 */
#define REASON_TABLE(REASON, CAUSE)                                                                \
    REASON(INTERNAL, "internal_error", 500, 1011, "Sidelock itself failed")                        \
    REASON(ALLOWED, "allowed", 0, 0, "admitted")                                                   \
    /* The request is malformed */                                                                 \
    REASON(MALFORMED, "malformed_request", 400, 0, "not a well-formed HTTP/1.1 request")           \
    CAUSE(NOT_HTTP, "malformed_request", "not_http", 400, 0,                                       \
          "what came does not begin as a request does")                                            \
    CAUSE(NOT_HTTP_BUT_TLS, "malformed_request", "tls", 400, 0,                                    \
          "TLS was spoken to a port that speaks none: the scheme is http or ws")                   \
    CAUSE(NOT_TLS_BUT_HTTP, "malformed_request", "plain_http", 400, 0,                             \
          "a port that speaks TLS was asked without: the scheme is https or wss")                  \
    CAUSE(REQUEST_LINE, "malformed_request", "request_line", 400, 0,                               \
          "the first line is not a method, a path and HTTP/1.1, with one space between")           \
    CAUSE(TARGET_SIGN, "malformed_request", "target_sign", 400, 0,                                 \
          "the target has a sign in it that must be percent-encoded")                              \
    CAUSE(TARGET_URL, "malformed_request", "target_url", 400, 0,                                   \
          "the target is a whole URL, as for a forward proxy, which this is none: send the path "  \
          "alone")                                                                                 \
    CAUSE(TARGET_FORM, "malformed_request", "target_form", 400, 0, "the target is no path")        \
    CAUSE(LINE_END, "malformed_request", "line_end", 400, 0,                                       \
          "a line of the head does not end with CR LF")                                            \
    CAUSE(CONTROL_BYTE, "malformed_request", "control_byte", 400, 0,                               \
          "a control byte is in the head")                                                         \
    CAUSE(HEADER_NAME, "malformed_request", "header_name", 400, 0,                                 \
          "a line of the head has no name before a colon")                                         \
    CAUSE(HEADER_FOLDED, "malformed_request", "header_folded", 400, 0,                             \
          "a header goes on in a second line")                                                     \
    CAUSE(HOST_MISSING, "malformed_request", "host_missing", 400, 0, "there is no Host header")    \
    CAUSE(HEAD_CUT, "malformed_request", "head_cut", 400, 0,                                       \
          "the client ended in the middle of the head")                                            \
    CAUSE(BODY_NUL, "malformed_request", "body_nul", 400, 0, "a NUL is in the body")               \
    CAUSE(BODY_UNEXPECTED, "malformed_request", "body_unexpected", 400, 0,                         \
          "a request with this method has no body here")                                           \
    CAUSE(CHUNK, "malformed_request", "chunk", 400, 0,                                             \
          "the chunks of the body are not framed as they must be")                                 \
    CAUSE(CHUNK_EXTENSION, "malformed_request", "chunk_extension", 400, 0,                         \
          "a chunk of the body has an extension")                                                  \
    CAUSE(TRAILER, "malformed_request", "trailer", 400, 0,                                         \
          "headers behind a body in chunks are not taken: send them before it")                    \
    REASON(HTTP_VERSION, "http_version", 400, 0, "only HTTP/1.1 is served")                        \
    CAUSE(HTTP_1_0, "http_version", "http_1_0", 400, 0,                                            \
          "HTTP/1.0 was spoken; only HTTP/1.1 is served")                                          \
    CAUSE(HTTP_2, "http_version", "http_2", 400, 0,                                                \
          "HTTP/2 was spoken, which was not offered; only HTTP/1.1 is served")                     \
    REASON(HEADER_DUPLICATE, "header_duplicate", 400, 0,                                           \
           "a header that may occur once was repeated")                                            \
    REASON(HEADER_INVALID, "header_invalid", 400, 0, "a header has a value that is not permitted") \
    CAUSE(EXPECT, "header_invalid", "expect", 400, 0,                                              \
          "Expect says something else than 100-continue")                                          \
    CAUSE(CONNECTION_NAMES, "header_invalid", "connection", 400, 0,                                \
          "Connection names a header that was judged, or too many")                                \
    CAUSE(SUBPROTOCOLS_INVALID, "header_invalid", "subprotocols", 400, 0,                          \
          "Sec-WebSocket-Protocol is no list of tokens, or too long a one")                        \
    CAUSE(SUBPROTOCOL_TWICE, "header_invalid", "subprotocol_twice", 400, 0,                        \
          "Sec-WebSocket-Protocol offers a subprotocol twice")                                     \
    REASON(PATH_INVALID, "path_invalid", 400, 0, "the path is not in canonical form")              \
    CAUSE(PATH_ENCODING, "path_invalid", "percent_encoding", 400, 0,                               \
          "a percent sign in the path is not followed by two hexadecimal digits")                  \
    CAUSE(PATH_CONTROL, "path_invalid", "control_byte", 400, 0, "a control byte is in the path")   \
    CAUSE(PATH_SEPARATOR, "path_invalid", "separator", 400, 0,                                     \
          "a backslash or a slash that was encoded twice is in the path")                          \
    CAUSE(PATH_DOTS, "path_invalid", "dot_segment", 400, 0,                                        \
          "a segment of the path is a dot or two")                                                 \
    CAUSE(PATH_EMPTY, "path_invalid", "empty_segment", 400, 0,                                     \
          "two slashes in the path stand next to each other")                                      \
    CAUSE(PATH_READINGS, "path_invalid", "readings", 400, 0,                                       \
          "an encoded slash, an encoding of an encoding, ; ? or # in the path would lead some "    \
          "readers to another route")                                                              \
    CAUSE(PATH_UTF8, "path_invalid", "utf8", 400, 0, "the path is not UTF-8")                      \
    CAUSE(PATH_LENGTH, "path_invalid", "length", 400, 0, "the path is too long")                   \
    REASON(UPGRADE_INVALID, "upgrade_invalid", 400, 0, "not a valid WebSocket upgrade request")    \
    CAUSE(UPGRADE_PROTOCOL, "upgrade_invalid", "protocol", 400, 0,                                 \
          "Upgrade names something else than websocket")                                           \
    CAUSE(UPGRADE_CONNECTION, "upgrade_invalid", "connection", 400, 0,                             \
          "Connection does not name Upgrade")                                                      \
    CAUSE(UPGRADE_KEY, "upgrade_invalid", "key", 400, 0,                                           \
          "Sec-WebSocket-Key is missing or not 16 bytes in base64")                                \
    CAUSE(UPGRADE_BODY, "upgrade_invalid", "body", 400, 0,                                         \
          "something came behind the head before the upgrade was answered")                        \
    CAUSE(UPGRADE_ROUTE, "upgrade_invalid", "route", 400, 0,                                       \
          "no WebSocket is spoken at this path")                                                   \
    REASON(WEBSOCKET_VERSION, "websocket_version", 426, 0, "only WebSocket version 13 is served")  \
    REASON(UPGRADE_REQUIRED, "upgrade_required", 426, 0, "this route is a WebSocket")              \
    REASON(SUBPROTOCOL_MISMATCH, "subprotocol_mismatch", 400, 0,                                   \
           "no subprotocol that this route speaks was offered")                                    \
    REASON(QUERY_INVALID, "query_invalid", 400, 0,                                                 \
           "a query parameter that may pass has a value that is not permitted")                    \
    CAUSE(QUERY_TWICE, "query_invalid", "twice", 400, 0,                                           \
          "a query parameter that may pass occurs twice")                                          \
    CAUSE(QUERY_ENCODING, "query_invalid", "encoding", 400, 0,                                     \
          "a query parameter that may pass cannot be decoded, or is too long")                     \
    CAUSE(QUERY_TOO_LONG, "query_invalid", "length", 400, 0,                                       \
          "the query, with what is added to it, is too long")                                      \
    REASON(HEADERS_TOO_LARGE, "headers_too_large", 431, 0, "the request headers are too large")    \
    CAUSE(HEADERS_MANY, "headers_too_large", "many", 431, 0, "there are too many request headers") \
    CAUSE(HEADER_LONG, "headers_too_large", "header", 431, 0, "a request header is too long")      \
    CAUSE(QUERY_LONG, "headers_too_large", "query", 431, 0, "the query is too long")               \
    REASON(LENGTH_REQUIRED, "length_required", 411, 0,                                             \
           "a body needs exactly one valid Content-Length")                                        \
    CAUSE(LENGTH_CODING, "length_required", "transfer_encoding", 411, 0,                           \
          "Transfer-Encoding says something else than chunked, once")                              \
    CAUSE(LENGTH_AND_CHUNKS, "length_required", "both", 411, 0,                                    \
          "both Content-Length and Transfer-Encoding were sent")                                   \
    CAUSE(LENGTH_NUMBER, "length_required", "content_length", 411, 0,                              \
          "Content-Length is not a number of at most ten digits")                                  \
    CAUSE(LENGTH_CHUNKS, "length_required", "chunked", 411, 0,                                     \
          "a body in chunks is not taken here: send its Content-Length")                           \
    REASON(BODY_TOO_LARGE, "body_too_large", 413, 0, "the request body is too large")              \
    REASON(REQUEST_TIMEOUT, "request_timeout", 400, 0, "the request did not arrive in time")       \
    CAUSE(BODY_TIMEOUT, "request_timeout", "body", 400, 0,                                         \
          "the body of the request did not arrive in time")                                        \
    REASON(BODY_TOO_SLOW, "body_too_slow", 400, 0, "the request's body came too slowly")           \
    REASON(CONTENT_TYPE, "content_type", 415, 0, "the body is not of a type that can be vetted")   \
    CAUSE(TYPE_MISSING, "content_type", "missing", 415, 0,                                         \
          "there is no Content-Type, and only application/json can be vetted")                     \
    CAUSE(TYPE_OTHER, "content_type", "type", 415, 0, "the Content-Type is not application/json")  \
    CAUSE(TYPE_PARAMETER, "content_type", "parameter", 415, 0,                                     \
          "a parameter of the Content-Type is not well-formed")                                    \
    CAUSE(TYPE_CHARSET, "content_type", "charset", 415, 0,                                         \
          "the charset of the Content-Type is not utf-8")                                          \
    REASON(CONTENT_ENCODING, "content_encoding", 415, 0, "an encoded body cannot be vetted")       \
    REASON(HEADER_MISMATCH, "header_mismatch", 400, 0, "a header does not say what the body says") \
    CAUSE(MCP_VERSION_MISMATCH, "header_mismatch", "mcp_protocol_version", 400, 0,                 \
          "MCP-Protocol-Version does not say what the body says")                                  \
    CAUSE(MCP_METHOD_MISMATCH, "header_mismatch", "mcp_method", 400, 0,                            \
          "Mcp-Method is missing or does not say what the body says")                              \
    CAUSE(MCP_NAME_MISMATCH, "header_mismatch", "mcp_name", 400, 0,                                \
          "Mcp-Name is missing or does not say what the body says")                                \
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
    REASON(CALLER_NETWORK, "caller_network", 403, 0,                                               \
           "the client's address is of no network that is permitted")                              \
    REASON(CALLER_UNKNOWN, "caller_unknown", 403, 0,                                               \
           "the calling process could not be identified")                                          \
    REASON(CALLER_MISMATCH, "caller_mismatch", 403, 0, "the calling user is not permitted")        \
    REASON(CALLER_GROUPS, "caller_groups", 403, 0,                                                 \
           "the calling user's groups could not be looked up in time")                             \
    REASON(PROGRAM_REFUSED, "caller_executable", 403, 0, "the calling program is not permitted")   \
    CAUSE(PROGRAM_UNKNOWN, "caller_executable", "unknown", 403, 0,                                 \
          "which program calls could not be found out")                                            \
    REASON(COOKIE_ORIGIN, "cookie_origin", 403, 0,                                                 \
           "the login cookie counts only for requests from the surface's own pages")               \
    REASON(CERTIFICATE_REFUSED, "certificate_refused", 403, 0,                                     \
           "no permitted client certificate was presented")                                        \
    REASON(PARAMS_REQUIRED, "params_required", 403, 0,                                             \
           "this route needs a session with a parameter record")                                   \
    REASON(EXECUTABLE_REFUSED, "executable_refused", 403, 0,                                       \
           "the parameter record names a command that may not run")                                \
    CAUSE(PROGRAM_OF_SERVICE, "executable_refused", "service", 403, 0,                             \
          "the service tried to execute a file, or to load its code, and may not")                 \
    REASON(OUT_OF_REACH, "connection_refused", 403, 0, "the service may not connect there")        \
    REASON(ROUTE_UNKNOWN, "route_unknown", 404, 0, "no route of this surface has this path")       \
    REASON(MCP_SESSION_UNKNOWN, "mcp_session_unknown", 404, 0,                                     \
           "this session opened no MCP session with that id")                                      \
    REASON(METHOD_REFUSED, "method_refused", 405, 0, "the method is not permitted on this route")  \
    /* Not now */                                                                                  \
    REASON(SURFACE_KILLED, "surface_killed", 503, 1008, "the surface's kill switch is on")         \
    REASON(KILL_REHEARSED, "kill_rehearsed", 503, 1013,                                            \
           "the kill switch is being rehearsed: connect again")                                    \
    REASON(SURFACE_CHANGED, "surface_changed", 503, 1012,                                          \
           "the surface was changed or removed: connect again")                                    \
    REASON(CAPACITY, "at_capacity", 503, 1013, "too many connections")                             \
    CAUSE(OUT_OF_MEMORY, "at_capacity", "memory", 503, 1013,                                       \
          "there was no memory or open file left for it")                                          \
    CAUSE(SURFACE_FULL, "at_capacity", "surface", 503, 1013,                                       \
          "the surface has as many connections as it may")                                         \
    CAUSE(CALLER_FULL, "at_capacity", "caller", 503, 1013,                                         \
          "the calling user has as many connections as one may")                                   \
    CAUSE(STRANGERS_FULL, "at_capacity", "strangers", 503, 1013,                                   \
          "too many connections that were granted nothing are open")                               \
    CAUSE(MCP_SESSIONS_FULL, "at_capacity", "mcp_sessions", 503, 1013,                             \
          "as many MCP sessions are in use as may")                                                \
    CAUSE(TICKETS_FULL, "at_capacity", "tickets", 503, 1013,                                       \
          "as many tickets wait to be used as may")                                                \
    CAUSE(BROKER_BUSY, "at_capacity", "broker", 503, 1013,                                         \
          "more requests wait to be judged than may")                                              \
    REASON(GAVE_WAY, "gave_way", 503, 1013, "it was slow, and others needed the room")             \
    /* One party has as many as it may, or does as much (policy/quota.h) */                        \
    REASON(QUOTA_CONNECTIONS, "quota_connections", 503, 1013,                                      \
           "the session has as many connections as it may")                                        \
    REASON(QUOTA_BODIES, "quota_bodies", 503, 0, "the session is sending all the bodies it may")   \
    REASON(QUOTA_HELD, "quota_held", 503, 1013, "too much is kept of it, not whole or not taken")  \
    REASON(QUOTA_QUESTIONS, "quota_questions", 503, 0,                                             \
           "as many requests of the session, user or surface wait as may")                         \
    REASON(QUOTA_MCP_SESSIONS, "quota_mcp_sessions", 503, 0,                                       \
           "the session uses as many MCP sessions as it may")                                      \
    REASON(QUOTA_SESSIONS, "quota_sessions", 503, 0, "the surface has as many sessions as it may") \
    REASON(QUOTA_PROCESSES, "quota_processes", 503, 1013,                                          \
           "the session or the surface has as many processes as it may")                           \
    REASON(RATE_REQUESTS, "rate_requests", 429, 0, "the session sends too many requests a second") \
    REASON(RATE_MESSAGES, "rate_messages", 429, 1013, "the session says too much a second")        \
    REASON(RATE_BYTES, "rate_bytes", 429, 1013, "the session sends too many bytes a second")       \
    REASON(RATE_CONNECTIONS, "rate_connections", 429, 0, "the user connects too often a second")   \
    REASON(RATE_LAUNCHES, "rate_launches", 503, 1013,                                              \
           "processes of the surface are started too often a second")                              \
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
    CAUSE(SOCKET_MISSING, "upstream_unreachable", "no_socket", 502, 1014,                          \
          "the socket of the service is not there: it is not running, or elsewhere")               \
    CAUSE(SOCKET_DEAF, "upstream_unreachable", "not_listening", 502, 1014,                         \
          "nobody listens where the service is to: it is not running")                             \
    CAUSE(SOCKET_DENIED, "upstream_unreachable", "permission", 502, 1014,                          \
          "Sidelock may not connect to the socket of the service")                                 \
    CAUSE(SERVICE_NEW, "upstream_unreachable", "starting", 502, 1014, "the service is starting")   \
    CAUSE(SERVICE_DOWN, "upstream_unreachable", "ended", 502, 1014, "the service has ended")       \
    CAUSE(SERVICE_EXPOSED, "upstream_unreachable", "exposed", 502, 1014,                           \
          "somebody answers at the service's port past the gate")                                  \
    REASON(SERVICE_MEMORY, "service_memory", 503, 1013, "it needed more memory than it may use")   \
    REASON(SERVICE_PROCESSES, "service_processes", 503, 1013, "it was refused another process")    \
    REASON(UPSTREAM_OWNER, "upstream_owner", 502, 1014,                                            \
           "somebody else may listen where the service is to")                                     \
    REASON(UPSTREAM_TIMEOUT, "upstream_timeout", 504, 1014, "the service did not answer in time")  \
    CAUSE(UPSTREAM_BUSY, "upstream_timeout", "connect", 504, 1014,                                 \
          "the service takes no more connections: as many wait as may")                            \
    CAUSE(ANSWER_TIMEOUT, "upstream_timeout", "answer", 504, 1014,                                 \
          "the service did not begin an answer in time")                                           \
    CAUSE(ANSWER_STALLED, "upstream_timeout", "body", 504, 1014,                                   \
          "the service stopped in the middle of an answer")                                        \
    CAUSE(UPSTREAM_STALLED, "upstream_timeout", "not_reading", 504, 1014,                          \
          "the service stopped reading")                                                           \
    CAUSE(MESSAGE_STALLED, "upstream_timeout", "message", 504, 1014,                               \
          "the service stopped in the middle of a message")                                        \
    CAUSE(UPGRADE_TIMEOUT, "upstream_timeout", "upgrade", 504, 1014,                               \
          "the service did not answer the WebSocket upgrade in time")                              \
    REASON(UPSTREAM_REFUSED, "upstream_refused", 502, 1014, "the service refused the connection")  \
    CAUSE(UPGRADE_STATUS, "upstream_refused", "status", 502, 1014,                                 \
          "the service answered the WebSocket upgrade with another status than 101")               \
    CAUSE(UPGRADE_CLOSED, "upstream_refused", "closed", 502, 1014,                                 \
          "the service closed instead of answering the WebSocket upgrade")                         \
    CAUSE(PREPARE_STATUS, "upstream_refused", "prepare", 502, 1014,                                \
          "the service refused the stored parameters")                                             \
    REASON(UPSTREAM_PROTOCOL, "upstream_protocol", 502, 1014, "the service broke the protocol")    \
    CAUSE(ANSWER_HEAD, "upstream_protocol", "head", 502, 1014,                                     \
          "the head of the service's answer is not well-formed HTTP, or too large")                \
    CAUSE(ANSWER_HEAD_CUT, "upstream_protocol", "head_cut", 502, 1014,                             \
          "the service closed in the middle of the head of its answer")                            \
    CAUSE(ANSWER_FRAMING, "upstream_protocol", "framing", 502, 1014,                               \
          "the length of the service's answer is not beyond doubt")                                \
    CAUSE(ANSWER_CHUNK, "upstream_protocol", "chunk", 502, 1014,                                   \
          "the chunks of the service's answer are not framed as they must be")                     \
    CAUSE(ANSWER_CUT, "upstream_protocol", "body_cut", 502, 1014,                                  \
          "the service closed before its answer was whole")                                        \
    CAUSE(ANSWER_SWITCHED, "upstream_protocol", "switched", 502, 1014,                             \
          "the service switched protocols though it was not asked to")                             \
    CAUSE(ANSWER_INTERIM, "upstream_protocol", "interim", 502, 1014,                               \
          "the service sent too many interim answers")                                             \
    CAUSE(ANSWER_TYPE, "upstream_protocol", "content_type", 502, 1014,                             \
          "the service's answer is of a type that cannot be vetted")                               \
    CAUSE(ANSWER_ENCODED, "upstream_protocol", "content_encoding", 502, 1014,                      \
          "the service encoded its answer though it was told not to")                              \
    CAUSE(ANSWER_DUPLICATE, "upstream_protocol", "header_duplicate", 502, 1014,                    \
          "the service repeated a header that may occur once")                                     \
    CAUSE(ANSWER_JSON, "upstream_protocol", "not_json", 502, 1014,                                 \
          "the service's answer is not the JSON that it must be")                                  \
    CAUSE(ANSWER_REFUSED, "upstream_protocol", "message", 502, 1014,                               \
          "the service's answer was refused, and there is nobody to be told why")                  \
    CAUSE(ANSWER_SESSION, "upstream_protocol", "mcp_session", 502, 1014,                           \
          "the service gave a session id that another has, or changed it")                         \
    CAUSE(ANSWER_EVENT, "upstream_protocol", "event", 502, 1014,                                   \
          "the service's stream of events is not well-formed")                                     \
    CAUSE(ANSWER_ENDPOINT, "upstream_protocol", "endpoint", 502, 1014,                             \
          "the service named an endpoint that is not its own or no route")                         \
    CAUSE(UPGRADE_HANDSHAKE, "upstream_protocol", "handshake", 502, 1014,                          \
          "the service accepted the WebSocket upgrade, but not as it must")                        \
    CAUSE(UPGRADE_EXTENSION, "upstream_protocol", "extension", 502, 1014,                          \
          "the service accepted an extension that was not offered")                                \
    CAUSE(UPGRADE_SUBPROTOCOL, "upstream_protocol", "subprotocol", 502, 1014,                      \
          "the service chose a subprotocol that was not offered")                                  \
    CAUSE(UPSTREAM_RESERVED, "upstream_protocol", "reserved_bits", 502, 1014,                      \
          "the service set a bit of a frame that is reserved")                                     \
    CAUSE(UPSTREAM_OPCODE, "upstream_protocol", "opcode", 502, 1014,                               \
          "the service sent a frame of a kind that does not exist")                                \
    CAUSE(UPSTREAM_MASK, "upstream_protocol", "mask", 502, 1014, "the service masked a frame")     \
    CAUSE(UPSTREAM_CONTROL, "upstream_protocol", "control_frame", 502, 1014,                       \
          "the service sent a control frame in pieces or of more than 125 bytes")                  \
    CAUSE(UPSTREAM_LENGTH, "upstream_protocol", "length", 502, 1014,                               \
          "the service wrote the length of a frame longer than it need be")                        \
    CAUSE(UPSTREAM_CONTINUATION, "upstream_protocol", "continuation", 502, 1014,                   \
          "the service went on with no message, or began one within another")                      \
    CAUSE(UPSTREAM_CLOSE, "upstream_protocol", "close_frame", 502, 1014,                           \
          "the service sent a close frame that may not be")                                        \
    CAUSE(PREPARE_ANSWER, "upstream_protocol", "prepare", 502, 1014,                               \
          "the service did not name a path to connect to for the stored parameters")               \
    REASON(ANSWER_MISSING, "answer_missing", 502, 1014,                                            \
           "the service ended its answer without answering")                                       \
    CAUSE(ANSWER_NO_EVENTS, "answer_missing", "no_events", 502, 1014,                              \
          "the service's answer says that it is a stream of events, and holds none")               \
    REASON(ANSWER_ERROR, "answer_error", 502, 1014,                                                \
           "the service sent an event that is an error, and no answer")                            \
    REASON(MCP_SESSION_TAKEN, "mcp_session_taken", 502, 0,                                         \
           "the service gave an MCP session that belongs to another session of the gate")          \
    REASON(UPSTREAM_GONE, "upstream_gone", 502, 1014, "the service closed without a close frame")  \
    CAUSE(UPSTREAM_SILENT, "upstream_gone", "unanswered", 502, 1014,                               \
          "the service closed without an answer")                                                  \
    /* The connection after 101 */                                                                 \
    REASON(CONNECTION_LOST, "connection_lost", 0, 1011,                                            \
           "connect lost its connection to the gate before the answer came")                       \
    REASON(CLIENT_CLOSED, "client_closed", 0, 1000, "the client closed the connection")            \
    REASON(UPSTREAM_CLOSED, "upstream_closed", 0, 1000, "the service closed the connection")       \
    REASON(CLIENT_PROTOCOL, "client_protocol", 0, 1002, "the client broke the WebSocket protocol") \
    CAUSE(CLIENT_RESERVED, "client_protocol", "reserved_bits", 0, 1002,                            \
          "the client set a bit of a frame that is reserved")                                      \
    CAUSE(CLIENT_OPCODE, "client_protocol", "opcode", 0, 1002,                                     \
          "the client sent a frame of a kind that does not exist")                                 \
    CAUSE(CLIENT_MASK, "client_protocol", "mask", 0, 1002,                                         \
          "the client sent a frame without a mask")                                                \
    CAUSE(CLIENT_CONTROL, "client_protocol", "control_frame", 0, 1002,                             \
          "the client sent a control frame in pieces or of more than 125 bytes")                   \
    CAUSE(CLIENT_LENGTH, "client_protocol", "length", 0, 1002,                                     \
          "the client wrote the length of a frame longer than it need be")                         \
    CAUSE(CLIENT_CONTINUATION, "client_protocol", "continuation", 0, 1002,                         \
          "the client went on with no message, or began one within another")                       \
    CAUSE(CLIENT_CLOSE, "client_protocol", "close_frame", 0, 1002,                                 \
          "the client sent a close frame that may not be")                                         \
    REASON(IDLE_TIMEOUT, "idle_timeout", 0, 1001, "the connection was idle for too long")          \
    REASON(MESSAGE_TIMEOUT, "message_timeout", 400, 1008, "a message was not completed in time")   \
    REASON(WRITE_STALLED, "write_stalled", 0, 1008, "the client stopped reading")                  \
    REASON(BINARY_REFUSED, "binary_refused", 0, 1003,                                              \
           "binary messages are not permitted on this route")                                      \
    REASON(MESSAGE_TOO_BIG, "message_too_big", 413, 1009, "the message is larger than the limit")  \
    REASON(ANSWER_TOO_BIG, "answer_too_big", 502, 1009,                                            \
           "the service's answer is larger than the limit")                                        \
    /* Bytes that are not strict JSON */                                                           \
    REASON(JSON_UTF8, "json_utf8", 400, 1007, "not valid UTF-8")                                   \
    REASON(JSON_SYNTAX, "json_syntax", 400, 1007, "not valid JSON")                                \
    REASON(JSON_NUL, "json_nul", 400, 1007, "a NUL character")                                     \
    REASON(JSON_SURROGATE, "json_surrogate", 400, 1007, "a surrogate that is not part of a pair")  \
    REASON(JSON_DUPLICATE_KEY, "json_duplicate_key", 400, 1007, "an object names a key twice")     \
    REASON(JSON_DEPTH, "json_depth", 400, 1007, "nested too deeply")                               \
    REASON(JSON_LIMIT, "json_limit", 400, 1007, "too many members or values")                      \
    CAUSE(JSON_MEMBERS, "json_limit", "members", 400, 1007,                                        \
          "an object has too many members, or all of them have")                                   \
    CAUSE(JSON_VALUES, "json_limit", "values", 400, 1007, "too many values")                       \
    CAUSE(JSON_RECORDED, "json_limit", "recorded", 400, 1007,                                      \
          "too many members in the objects that are looked into")                                  \
    CAUSE(JSON_REWRITTEN, "json_limit", "rewritten", 400, 1007,                                    \
          "too long once its URLs are written anew")                                               \
    /* JSON, but not a message that can be understood */                                           \
    REASON(MESSAGE_SHAPE, "message_shape", 400, 1008, "not a message of this dialect")             \
    CAUSE(SHAPE_VERSION, "message_shape", "jsonrpc", 400, 1008,                                    \
          "jsonrpc does not say 2.0, or is there where it may not be")                             \
    CAUSE(SHAPE_KIND, "message_shape", "kind", 400, 1008,                                          \
          "neither a request, a notification nor a response")                                      \
    CAUSE(SHAPE_METHOD, "message_shape", "method", 400, 1008,                                      \
          "the member that names the verb is no string")                                           \
    CAUSE(SHAPE_PARAMS, "message_shape", "params", 400, 1008,                                      \
          "params is neither an object nor absent")                                                \
    CAUSE(SHAPE_ERROR, "message_shape", "error", 400, 1008,                                        \
          "the error of a response is no object")                                                  \
    CAUSE(SHAPE_RESPONSE, "message_shape", "response", 400, 1008,                                  \
          "a response has params, or both a result and an error")                                  \
    CAUSE(SHAPE_NOTIFICATION, "message_shape", "notification", 400, 1008,                          \
          "this verb may not be sent so: as a request without an id, or with one")                 \
    CAUSE(SHAPE_EVENT, "message_shape", "event", 400, 1008,                                        \
          "an event of a type that the dialect does not have")                                     \
    CAUSE(SHAPE_MODERN, "message_shape", "revision", 400, 1008,                                    \
          "no response is sent as the body of a request in this revision")                         \
    CAUSE(SHAPE_ASKS, "message_shape", "asks", 400, 1008,                                          \
          "the requests within an answer are not in an object")                                    \
    CAUSE(SHAPE_ERROR_BODY, "message_shape", "error_body", 400, 1008,                              \
          "the body of an error could be taken for another message")                               \
    CAUSE(SHAPE_LIST, "message_shape", "list", 400, 1008,                                          \
          "the list in the answer, of which some may not be seen, is no list")                     \
    REASON(MESSAGE_KEY, "message_key", 400, 1008,                                                  \
           "a key that is unknown or resembles a known one")                                       \
    CAUSE(KEY_UNKNOWN, "message_key", "unknown", 400, 1008,                                        \
          "a key that the dialect's messages do not have")                                         \
    CAUSE(KEY_RESEMBLES, "message_key", "resembles", 400, 1008,                                    \
          "a key that some readers take for another, as it differs in case or in signs that "      \
          "look alike")                                                                            \
    REASON(MESSAGE_ID, "message_id", 400, 1008, "an id that is not a string or a safe integer")    \
    CAUSE(ID_MISSING, "message_id", "missing", 400, 1008, "there is no id")                        \
    CAUSE(ID_NULL, "message_id", "null", 400, 1008, "the id is null")                              \
    CAUSE(ID_NUMBER, "message_id", "number", 400, 1008,                                            \
          "the id is a number that not every peer reads alike")                                    \
    CAUSE(ID_TEXT, "message_id", "text", 400, 1008, "an escape of the id spells no Unicode text")  \
    CAUSE(ID_LONG, "message_id", "length", 400, 1008, "the id is too long")                        \
    CAUSE(ID_TYPE, "message_id", "type", 400, 1008, "the id is neither a string nor a number")     \
    REASON(BATCH_REFUSED, "batch_refused", 400, 1008, "batches are not permitted")                 \
    /* Understood, and refused: to the end of the table */                                         \
    REASON(VERB_UNKNOWN, "verb_unknown", 400, 1008,                                                \
           "the dialect has no such verb in this direction")                                       \
    REASON(VERB_REFUSED, "verb_not_allowed", 403, 1008, "the verb is not on the allow list")       \
    REASON(VERB_CLOSED, "closed_by_dialect", 403, 1008,                                            \
           "the verb is closed by the dialect, whatever is allowed")                               \
    REASON(EXTENSION_OFF, "extension_off", 403, 1008,                                              \
           "the verb is of an extension that the surface does not name")                           \
    REASON(ARGUMENT_REFUSED, "argument_not_allowed", 403, 1008,                                    \
           "the verb is closed by the dialect but for harmless values, of which this is none")     \
    REASON(TARGET_MISSING, "target_missing", 400, 1008, "the verb needs a target and has none")    \
    CAUSE(TARGET_TYPE, "target_missing", "type", 400, 1008,                                        \
          "what should be the target is no string, or no list of them")                            \
    REASON(TARGET_AMBIGUOUS, "target_ambiguous", 400, 1008,                                        \
           "the target could be read in two ways")                                                 \
    CAUSE(TARGET_SEVERAL, "target_ambiguous", "several", 400, 1008,                                \
          "the message names several targets, of which the verb has one")                          \
    CAUSE(TARGET_LONG, "target_ambiguous", "length", 400, 1008,                                    \
          "the target is written with escapes and too long to be compared")                        \
    CAUSE(TARGET_TEXT, "target_ambiguous", "text", 400, 1008,                                      \
          "an escape of the target spells no Unicode text")                                        \
    REASON(TARGET_REFUSED, "target_not_allowed", 403, 1008, "the target is not on the allow list") \
    REASON(TARGET_LIMIT, "target_limit", 403, 1008, "more targets in one message than are vetted") \
    REASON(HANDLE_UNKNOWN, "handle_unknown", 403, 1008,                                            \
           "this session was given no task or event with that id")                                 \
    REASON(RESPONSE_UNEXPECTED, "response_unexpected", 403, 1008,                                  \
           "a response to no outstanding request")                                                 \
    CAUSE(RESPONSE_NULL, "response_unexpected", "null_id", 403, 1008,                              \
          "a response with the id null, which is of no request")                                   \
    REASON(REQUEST_ID_REUSED, "request_id_reused", 400, 1008,                                      \
           "the id of a request that is still outstanding")                                        \
    REASON(OUTSTANDING_LIMIT, "outstanding_limit", 403, 1008, "too many outstanding requests")     \
    REASON(VALUE_MISMATCH, "value_mismatch", 403, 1008,                                            \
           "a value differs from the stored parameter record")

enum reason {
#define REASON_SYMBOL(symbol, ...) REASON_##symbol,
    REASON_TABLE(REASON_SYMBOL, REASON_SYMBOL)
#undef REASON_SYMBOL
        REASON_COUNT
};

struct reason_info {
    const char *code;
    const char *cause; /* NULL: the code says it all */
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

/* Whether both have one code. */
bool reason_same(enum reason one, enum reason other);

/* The groups of the table; the third: of what was said, not of who says it, or if it is heard. */
bool reason_is_json(enum reason reason);
bool reason_is_shape(enum reason reason);
bool reason_is_of_message(enum reason reason);
bool reason_is_policy(enum reason reason);
