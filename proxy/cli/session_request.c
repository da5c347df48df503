#include "cli/session_request.h"

#include "cli/args.h"
#include "policy/session.h"

#include <string.h>
#include <sysexits.h>

static void append_list(struct buffer *out, const char *name, const struct text_list *list)
{
    if (list->count == 0)
        return;
    buffer_append_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        buffer_append_json_string(out, list->items[i], strlen(list->items[i]));
    }
    buffer_append_text(out, "]");
}

static int append_callers(struct buffer *out, const struct text_list *callers)
{
    if (callers->count > SESSION_CALLERS_MAX)
        return args_usage("session", "a session names at most %d callers", SESSION_CALLERS_MAX);
    for (size_t i = 0; i < callers->count; i++) {
        const char *text = callers->items[i];
        uint64_t uid;

        if (strncmp(text, "uid=", 4) != 0 || !args_number(text + 4, UINT32_MAX - 1, &uid))
            return args_usage("session", "--caller takes uid=N, not %s", text);
        buffer_append_format(out, "%s%llu", i == 0 ? ",\"callers\":[" : ",",
                             (unsigned long long)uid);
    }
    if (callers->count > 0)
        buffer_append_text(out, "]");
    return EX_OK;
}

int session_request_ttl(const struct session_options *options, int64_t *out)
{
    int64_t ttl_s = SESSION_TTL_DEFAULT_S;

    if (options->ttl != NULL && !args_duration(options->ttl, &ttl_s))
        return args_usage("session", "--ttl takes a time like 90s, 15m, 2h or 1d, not %s",
                          options->ttl);
    *out = ttl_s;
    return EX_OK;
}

int session_request_build(const char *surface, const struct session_options *options,
                          struct buffer *out)
{
    int64_t ttl_s = 0;
    int code = session_request_ttl(options, &ttl_s);

    if (code != EX_OK)
        return code;
    buffer_append_text(out, "{\"surface\":");
    buffer_append_json_string(out, surface, strlen(surface));
    if (options->params != NULL) {
        buffer_append_text(out, ",\"params\":");
        buffer_append_json_string(out, options->params, strlen(options->params));
    }
    buffer_append_format(out, ",\"ttl_s\":%lld,\"once\":%s", (long long)ttl_s,
                         options->once ? "true" : "false");
    append_list(out, "verbs", &options->verbs);
    append_list(out, "targets", &options->targets);
    code = append_callers(out, &options->callers);
    buffer_append_text(out, "}");
    if (code == EX_OK && buffer_failed(out))
        code = args_fail(EX_DATAERR, "the request is too large");
    return code;
}
