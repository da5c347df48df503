/*
 * JSON-RPC 2.0 messages as `connect` needs to know them: what kind they are,
 * whom they answer, and which era of MCP they speak. What may pass is for the
 * gate to decide; here only what would break a line or lose an answer is refused.
 */
#pragma once

#include "base/buffer.h"
#include "json/scan.h"

#define RPC_DEPTH_MAX         8192 /* the gate judges; here no more than the memory is bounded */
#define RPC_ID_BYTES_MAX      256  /* as written */
#define RPC_ID_KEY_SIZE       (RPC_ID_BYTES_MAX + 2)
#define RPC_METHOD_BYTES_MAX  128
#define RPC_REASON_SIZE       64
#define RPC_VERSION_BYTES_MAX 32 /* of MCP: a date */

#define RPC_PARSE_ERROR     (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_INVALID_PARAMS  (-32602)
/* Ours, outside the range that JSON-RPC reserves. */
#define RPC_REFUSED (-31403) /* by the gate: as the gate's own refusals */
#define RPC_LOST    (-31404) /* the gate or the service is not there, or went away meanwhile */
/* Reasons of base/reason.h that only this end can say. */
#define RPC_CONNECTION_LOST "connection_lost"
#define RPC_ANSWER_MISSING  "answer_missing"

enum rpc_kind { RPC_OTHER = 0, RPC_REQUEST, RPC_NOTIFICATION, RPC_RESPONSE };

/* Spans point into the text. */
struct rpc {
    enum rpc_kind kind;
    struct span id;                             /* as written; absent: none */
    char id_key[RPC_ID_KEY_SIZE];               /* equal exactly for equal ids; "": none */
    char method[RPC_METHOD_BYTES_MAX + 1];      /* "": none */
    char version[RPC_VERSION_BYTES_MAX + 1];    /* params._meta's: of the modern era; "": legacy */
    char negotiated[RPC_VERSION_BYTES_MAX + 1]; /* protocolVersion of an InitializeResult, or "" */
    bool failed;                                /* a response with an error */
};

/*
 * Reads one message; line breaks between its tokens become spaces, so that it
 * is a line. ERROR_SYNTAX: not strict JSON. ERROR_INVALID: JSON, but no single
 * message, or with an id that cannot be matched; *out then has the id if there is
 * one to answer. The members stay in `scan` until it scans again.
 */
enum error rpc_read(struct json_scan *scan, char *text, size_t length, struct rpc *out) MUST_CHECK;

/* A member of the params of a message that was just read; NULL if there is none. */
const struct json_member *rpc_param(const struct json_scan *scan, const char *key);
/* The key of params.requestId in a notification that was just read; false if there is none. */
bool rpc_cancelled_key(const struct json_scan *scan, char out[RPC_ID_KEY_SIZE]);

/* The `reason` of a problem document (RFC 9457) of the gate's, or of an error that it says instead
 * of an answer; false if it has none. */
bool rpc_problem_reason(struct json_scan *scan, struct span body, char out[RPC_REASON_SIZE]);

/* Appends an error answer; an absent id is null, `reason` may be NULL. */
void rpc_write_error(struct buffer *out, struct span id, int code, const char *message,
                     const char *reason);
/* Appends the message with another id, given as JSON. */
void rpc_write_with_id(struct buffer *out, struct span text, struct span id, const char *other);
