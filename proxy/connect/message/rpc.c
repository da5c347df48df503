#include "connect/message/rpc.h"

#include <string.h>

#define META_VERSION "io.modelcontextprotocol/protocolVersion"

enum error rpc_descend(struct text_list *out)
{
    enum error error = text_list_add(out, "params", strlen("params"));

    return error == OK ? text_list_add(out, "_meta", strlen("_meta")) : error;
}

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
           json_scan_unescape(member->value, out, size, &length) == OK && strlen(out) == length;
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

static int index_of(const struct json_scan *scan, const struct json_member *member)
{
    return (int)(member - json_scan_member(scan, 0));
}

static const struct json_member *find_in(const struct json_scan *scan,
                                         const struct json_member *parent, const char *key)
{
    if (parent == NULL || parent->type != JSON_TYPE_OBJECT)
        return NULL;
    return json_scan_find(scan, index_of(scan, parent), key);
}

static enum error read_message(const struct json_scan *scan, struct rpc *rpc)
{
    const struct json_member *method = json_scan_find(scan, -1, "method");
    const struct json_member *error = json_scan_find(scan, -1, "error");
    const struct json_member *params = json_scan_find(scan, -1, "params");
    bool answers = error != NULL || json_scan_find(scan, -1, "result") != NULL;
    enum error fault = read_id(scan, rpc);

    if (fault != OK)
        return fault;
    if (method != NULL) {
        if (answers || !copy_string(method, rpc->method, sizeof(rpc->method)))
            return ERROR_INVALID;
        rpc->kind = rpc->id.data != NULL ? RPC_REQUEST : RPC_NOTIFICATION;
    } else if (answers) {
        rpc->kind = RPC_RESPONSE;
        rpc->failed = error != NULL;
    } else {
        return ERROR_INVALID;
    }
    if (!copy_string(find_in(scan, find_in(scan, params, "_meta"), META_VERSION), rpc->version,
                     sizeof(rpc->version)))
        rpc->version[0] = '\0';
    return OK;
}

enum error rpc_read(struct json_scan *scan, const struct text_list *descend, char *text,
                    size_t length, struct rpc *out)
{
    enum reason reason = json_scan_text(scan, text, length, descend);

    *out = (struct rpc){.kind = RPC_OTHER};
    /* More members than are recorded: what stands at the top is enough to pass it on. */
    if (reason == REASON_JSON_LIMIT && descend != NULL)
        reason = json_scan_text(scan, text, length, NULL);
    if (!reason_allows(reason))
        return ERROR_SYNTAX;
    join_lines(text, length);
    return json_scan_root(scan) == JSON_TYPE_OBJECT ? read_message(scan, out) : ERROR_INVALID;
}

bool rpc_result_version(struct json_scan *scan, const char *text, size_t length,
                        char out[RPC_VERSION_BYTES_MAX + 1])
{
    char name[] = "result";
    char *names[] = {name};
    struct text_list descend = {names, 1};

    return reason_allows(json_scan_text(scan, text, length, &descend)) &&
           copy_string(find_in(scan, json_scan_find(scan, -1, "result"), "protocolVersion"), out,
                       RPC_VERSION_BYTES_MAX + 1) &&
           out[0] != '\0' && strspn(out, "0123456789-.abcdefghijklmnopqrstuvwxyz") == strlen(out);
}

const struct json_member *rpc_param(const struct json_scan *scan, const char *key)
{
    return find_in(scan, json_scan_find(scan, -1, "params"), key);
}

bool rpc_cancelled_key(const struct json_scan *scan, char out[RPC_ID_KEY_SIZE])
{
    const struct json_member *id = rpc_param(scan, "requestId");

    return id != NULL && id_key(id, out);
}

bool rpc_problem_reason(struct json_scan *scan, struct span body, char out[RPC_REASON_SIZE])
{
    return body.length > 0 && reason_allows(json_scan_text(scan, body.data, body.length, NULL)) &&
           copy_string(json_scan_find(scan, -1, "reason"), out, RPC_REASON_SIZE);
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
