#include "connect/message/rpc.h"

#include <string.h>

#define META_VERSION "io.modelcontextprotocol/protocolVersion"

/* Strict JSON has no raw line break within a string: each one stands between tokens. */
static void join_lines(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    }
}

static bool copy_string(const struct json_member *member, char *out, size_t size)
{
    size_t length;

    return member != NULL && member->type == JSON_TYPE_STRING &&
           json_scan_unescape(member->value, out, size, &length) == OK;
}

/* Numbers as written, strings unescaped behind a quote. */
static bool id_key(const struct json_member *member, char out[RPC_ID_KEY_SIZE])
{
    size_t length;

    if (member->value.length > RPC_ID_BYTES_MAX)
        return false;
    if (member->type == JSON_TYPE_INTEGER) {
        memcpy(out, member->value.data, member->value.length);
        out[member->value.length] = '\0';
        return true;
    }
    out[0] = '"';
    return member->type == JSON_TYPE_STRING &&
           json_scan_unescape(member->value, out + 1, RPC_ID_KEY_SIZE - 1, &length) == OK;
}

static enum error read_id(const struct json_scan *scan, struct rpc *rpc)
{
    const struct json_member *id = json_scan_find(scan, -1, "id");

    if (id == NULL || id->type == JSON_TYPE_NULL)
        return OK;
    if (!id_key(id, rpc->id_key)) {
        rpc->id_key[0] = '\0';
        return ERROR_INVALID;
    }
    rpc->id = id->value;
    return OK;
}

/* What becomes part of a request's head: "" if it is none that may. */
static void read_negotiated(const struct json_member *member, char out[RPC_VERSION_BYTES_MAX + 1])
{
    if (!copy_string(member, out, RPC_VERSION_BYTES_MAX + 1) ||
        strspn(out, "0123456789-.abcdefghijklmnopqrstuvwxyz") != strlen(out))
        out[0] = '\0';
}

static enum error read_message(const struct json_scan *scan, struct rpc *rpc)
{
    const struct json_member *method = json_scan_find(scan, -1, "method");
    const struct json_member *error = json_scan_find(scan, -1, "error");
    const struct json_member *result = json_scan_find(scan, -1, "result");
    const struct json_member *meta = rpc_param(scan, "_meta");
    enum error fault = read_id(scan, rpc);

    if (fault != OK)
        return fault;
    if (method != NULL) {
        if (error != NULL || result != NULL ||
            !copy_string(method, rpc->method, sizeof(rpc->method)))
            return ERROR_INVALID;
        rpc->kind = rpc->id.data != NULL ? RPC_REQUEST : RPC_NOTIFICATION;
    } else if (error != NULL || result != NULL) {
        rpc->kind = RPC_RESPONSE;
        rpc->failed = error != NULL;
        read_negotiated(json_scan_find_in(scan, result, "protocolVersion"), rpc->negotiated);
    } else {
        return ERROR_INVALID;
    }
    if (!copy_string(json_scan_find_in(scan, meta, META_VERSION), rpc->version,
                     sizeof(rpc->version)))
        rpc->version[0] = '\0';
    return OK;
}

enum error rpc_read(struct json_scan *scan, char *text, size_t length, struct rpc *out)
{
    static char params[] = "params", meta[] = "_meta";
    static char *names[] = {params, meta};
    static const struct text_list descend = {names, 2};
    static const struct json_watch version = {{"result", 6}, "protocolVersion"};
    static const struct json_limits limits = {RPC_DEPTH_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                              false};
    struct span whole = {text, length};
    struct json_scan_wishes wishes = {
        .limits = &limits, .descend = &descend, .watches = &version, .watch_count = 1};
    enum reason reason = json_scan_wishing(scan, whole, &wishes);

    *out = (struct rpc){.kind = RPC_OTHER};
    /* More members than are recorded: what stands at the top is enough to pass it on. */
    wishes.descend = NULL;
    if (reason == REASON_JSON_RECORDED)
        reason = json_scan_wishing(scan, whole, &wishes);
    if (!reason_allows(reason))
        return ERROR_SYNTAX;
    join_lines(text, length);
    return json_scan_root(scan) == JSON_TYPE_OBJECT ? read_message(scan, out) : ERROR_INVALID;
}

const struct json_member *rpc_param(const struct json_scan *scan, const char *key)
{
    return json_scan_find_in(scan, json_scan_find(scan, -1, "params"), key);
}

bool rpc_cancelled_key(const struct json_scan *scan, char out[RPC_ID_KEY_SIZE])
{
    const struct json_member *id = rpc_param(scan, "requestId");

    return id != NULL && id_key(id, out);
}

bool rpc_problem_reason(struct json_scan *scan, struct span body, char out[RPC_REASON_SIZE])
{
    static char error[] = "error", data[] = "data", *names[] = {error, data};
    static const struct text_list descend = {names, 2};
    const struct json_member *reason;

    if (body.length == 0 || !reason_allows(json_scan_text(scan, body.data, body.length, &descend)))
        return false;
    reason = json_scan_find(scan, -1, "reason");
    if (reason == NULL)
        reason = json_scan_find_in(
            scan, json_scan_find_in(scan, json_scan_find(scan, -1, "error"), "data"), "reason");
    return copy_string(reason, out, RPC_REASON_SIZE) && out[0] != '\0';
}

void rpc_write_error(struct buffer *out, struct span id, int code, const char *message,
                     const char *reason)
{
    buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id.data != NULL)
        buffer_append(out, id.data, id.length);
    else
        buffer_append_text(out, "null");
    buffer_append_format(out, ",\"error\":{\"code\":%d,\"message\":", code);
    buffer_append_json_string(out, message, strlen(message));
    if (reason != NULL) {
        buffer_append_text(out, ",\"data\":{\"reason\":");
        buffer_append_json_string(out, reason, strlen(reason));
        buffer_append_text(out, "}");
    }
    buffer_append_text(out, "}}");
}

void rpc_write_with_id(struct buffer *out, struct span text, struct span id, const char *other)
{
    size_t before = (size_t)(id.data - text.data);

    buffer_append(out, text.data, before);
    buffer_append_text(out, other);
    buffer_append(out, id.data + id.length, text.length - before - id.length);
}
