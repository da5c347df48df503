#include "vet/mcp_http.h"

#include "vet/refusal.h"

#include <ctype.h>
#include <string.h>

/* JSON-RPC 2.0 section 5.1 and the codes that MCP reserves. */
#define CODE_PARSE_ERROR       (-32700)
#define CODE_INVALID_REQUEST   (-32600)
#define CODE_METHOD_NOT_FOUND  (-32601)
#define CODE_HEADER_MISMATCH   (-32020)
#define CODE_SESSION_NOT_FOUND (-32001)

/* ---- What the body says ---- */

static bool lookalike_in(const struct json_scan *scan, const struct json_member *object,
                         const char *key)
{
    return object != NULL && object->type == JSON_TYPE_OBJECT &&
           json_scan_lookalike(scan, json_scan_index(scan, object), key) >= 0;
}

/* A revision is a date: what is not one is for the service to refuse. */
static bool is_modern(const char *revision)
{
    static const char shape[] = MCP_HTTP_MODERN_REVISION;

    if (revision == NULL || strlen(revision) != sizeof(shape) - 1)
        return false;
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == '-' ? revision[i] != '-' : !isdigit((unsigned char)revision[i]))
            return false;
    }
    return strcmp(revision, shape) >= 0;
}

enum mcp_era mcp_http_era(const struct mcp_http_headers *headers, const struct json_scan *scan)
{
    const struct json_member *params = json_scan_find(scan, -1, "params");
    const struct json_member *meta = json_scan_find_in(scan, params, "_meta");

    if (is_modern(headers->protocol_version) ||
        json_scan_find_in(scan, meta, DIALECT_MCP_VERSION_KEY) != NULL)
        return MCP_MODERN;
    return MCP_LEGACY;
}

/* The member of params that Mcp-Name repeats for a verb; NULL: it repeats nothing. */
static const char *name_key_of(struct span verb)
{
    static const char *const rows[][2] = {
        {"tools/call", "name"},  {"prompts/get", "name"},    {"resources/read", "uri"},
        {"tasks/get", "taskId"}, {"tasks/cancel", "taskId"}, {"tasks/update", "taskId"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (span_equals(verb, rows[i][0]))
            return rows[i][1];
    }
    return NULL;
}

bool mcp_http_verb_ended(const struct json_scan *scan, const struct message *message)
{
    static const char *const verbs[] = {
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    };
    const struct json_member *params = json_scan_find(scan, -1, "params");

    if (message->kind != MESSAGE_REQUEST ||
        json_scan_find_in(scan, json_scan_find_in(scan, params, "_meta"),
                          DIALECT_MCP_VERSION_KEY) == NULL)
        return false;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (span_equals(message->verb, verbs[i]))
            return true;
    }
    return false;
}

/* ---- Headers against the body ---- */

/*
 * Whether a header value is the text: itself, or as =?base64?...?=. The text is
 * encoded rather than the header decoded, so only one encoding of it will do.
 */
static bool says(struct span header, struct span text)
{
    static const char open[] = "=?base64?", close[] = "?=";
    const size_t open_length = sizeof(open) - 1, close_length = sizeof(close) - 1;
    char encoded[4 * ((MCP_HTTP_NAME_BYTES_MAX + 2) / 3) + 1];

    if (header.length < open_length + close_length || memcmp(header.data, open, open_length) != 0 ||
        memcmp(header.data + header.length - close_length, close, close_length) != 0)
        return span_same(header, text);
    if (text.length > MCP_HTTP_NAME_BYTES_MAX)
        return false;
    text_base64((const unsigned char *)text.data, text.length, encoded);
    header.data += open_length;
    header.length -= open_length + close_length;
    return span_equals(header, encoded);
}

/* Whether a header says what a string member says. */
static bool says_member(const char *header, const struct json_member *member)
{
    char room[MCP_HTTP_NAME_BYTES_MAX + 1];
    struct span text;

    return json_member_text(member, room, sizeof(room), &text) &&
           says(span_trim(span_of(header)), text);
}

static bool version_agrees(const char *header, const struct json_member *version)
{
    /* No revision in the body, or none that could be one: the service says so. */
    if (version == NULL || version->type != JSON_TYPE_STRING)
        return true;
    return header != NULL && says_member(header, version);
}

static bool name_agrees(const char *header, const struct json_member *name, bool required)
{
    if (header == NULL)
        return !required || name == NULL;
    return says_member(header, name);
}

enum reason mcp_http_check(const struct mcp_http_headers *headers, enum mcp_era era,
                           const struct json_scan *scan, const struct message *message)
{
    const struct json_member *params = json_scan_find(scan, -1, "params");
    const struct json_member *meta = json_scan_find_in(scan, params, "_meta");
    const bool required = era == MCP_MODERN && message->kind == MESSAGE_REQUEST;
    const char *name_key = name_key_of(message->verb);

    if (message->kind == MESSAGE_RESPONSE)
        return era == MCP_MODERN ? REASON_SHAPE_MODERN : REASON_ALLOWED;
    if (lookalike_in(scan, params, "_meta") || lookalike_in(scan, meta, DIALECT_MCP_VERSION_KEY) ||
        (name_key != NULL && lookalike_in(scan, params, name_key)))
        return REASON_KEY_RESEMBLES;
    if (!version_agrees(headers->protocol_version,
                        json_scan_find_in(scan, meta, DIALECT_MCP_VERSION_KEY)))
        return REASON_MCP_VERSION_MISMATCH;
    if (headers->method != NULL ? !span_same(span_trim(span_of(headers->method)), message->verb)
                                : required)
        return REASON_MCP_METHOD_MISMATCH;
    if (name_key != NULL &&
        !name_agrees(headers->name, json_scan_find_in(scan, params, name_key), required))
        return REASON_MCP_NAME_MISMATCH;
    return REASON_ALLOWED;
}

/* ---- Refusals ---- */

static void append_error(struct buffer *out, struct span id, int code, const char *text)
{
    buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id.data != NULL)
        buffer_append(out, id.data, id.length);
    else
        buffer_append_text(out, "null");
    buffer_append_format(out, ",\"error\":{\"code\":%d,\"message\":\"%s\"}}", code, text);
}

static void refuse_by_policy(const struct mcp_http_refused *refused, struct buffer *out,
                             unsigned *status)
{
    bool verb = refused->reason == REASON_VERB_UNKNOWN || refused->reason == REASON_VERB_REFUSED ||
                refused->reason == REASON_VERB_CLOSED || refused->reason == REASON_EXTENSION_OFF;

    if (refused->kind != MESSAGE_REQUEST) {
        *status = 403;
    } else if (verb && refused->era == MCP_MODERN) {
        *status = 404;
        append_error(out, refused->id, CODE_METHOD_NOT_FOUND, "Method not found");
    } else {
        *status = 200;
        refusal_append_json_rpc(out, refused->id, refused->reason);
    }
}

void mcp_http_refusal(const struct mcp_http_refused *refused, struct buffer *out, unsigned *status)
{
    const struct reason_info *info = reason_info(refused->reason);
    /* An answer's id is the service's: it names no request of the client's. */
    struct span id = refused->kind == MESSAGE_REQUEST ? refused->id : (struct span){0};

    *status = info->http_status != 0 ? info->http_status : 403;
    if ((*status == 429 || reason_is_json(refused->reason)) && id.data != NULL)
        refusal_append_json_rpc(out, id, refused->reason);
    else if (reason_is_json(refused->reason)) /* there is nothing to say an id of */
        append_error(out, (struct span){0}, CODE_PARSE_ERROR, "Parse error");
    else if (reason_is_shape(refused->reason))
        append_error(out, id, CODE_INVALID_REQUEST, info->text);
    else if (reason_is_policy(refused->reason))
        refuse_by_policy(refused, out, status);
    else if (reason_same(refused->reason, REASON_HEADER_MISMATCH))
        append_error(out, id, CODE_HEADER_MISMATCH, info->text);
    else if (refused->reason == REASON_MCP_SESSION_UNKNOWN)
        append_error(out, id, CODE_SESSION_NOT_FOUND, "Session not found");
}
