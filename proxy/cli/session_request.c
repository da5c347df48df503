#include "cli/session_request.h"

#include "cli/terminal/args.h"
#include "policy/session.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

void session_options_clear(struct session_options *options)
{
    text_list_clear(&options->verbs);
    text_list_clear(&options->targets);
    text_list_clear(&options->callers);
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

/* NULL, which json_pack leaves out, for an empty list. */
static json_t *list_of(const struct text_list *list)
{
    json_t *array = list->count > 0 ? json_array() : NULL;

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static int callers_of(const struct text_list *callers, json_t **out)
{
    *out = callers->count > 0 ? json_array() : NULL;
    if (callers->count > SESSION_CALLERS_MAX)
        return args_usage("session", "a session names at most %d callers", SESSION_CALLERS_MAX);
    for (size_t i = 0; i < callers->count; i++) {
        const char *text = callers->items[i];
        uint64_t uid;

        if (strncmp(text, "uid=", 4) != 0 || !args_number(text + 4, UINT32_MAX - 1, &uid))
            return args_usage("session", "--caller takes uid=N, not %s", text);
        json_array_append_new(*out, json_integer((json_int_t)uid));
    }
    return EX_OK;
}

int session_request_build(const char *surface, const struct session_options *options, json_t **out)
{
    json_t *callers = NULL;
    int64_t ttl_s = 0;
    int code = session_request_ttl(options, &ttl_s);

    if (code == EX_OK)
        code = callers_of(&options->callers, &callers);
    if (code != EX_OK) {
        json_decref(callers);
        return code;
    }
    *out = json_pack("{s:s, s:s*, s:I, s:b, s:o*, s:o*, s:o*}", "surface", surface, "params",
                     options->params, "ttl_s", (json_int_t)ttl_s, "once", options->once, "verbs",
                     list_of(&options->verbs), "targets", list_of(&options->targets), "callers",
                     callers);
    return *out != NULL ? EX_OK : args_fail(EX_DATAERR, "the request is not UTF-8");
}
