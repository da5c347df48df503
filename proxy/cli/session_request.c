#include "cli/session_request.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
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

/* Adds a list unless it is empty. False without memory: a limit must not get lost. */
static bool add_list(json_t *request, const char *name, const struct text_list *list)
{
    json_t *array = json_array();
    bool good = true;

    for (size_t i = 0; i < list->count; i++)
        good = json_array_append_new(array, output_string(list->items[i])) == 0 && good;
    if (list->count > 0)
        return json_object_set_new(request, name, array) == 0 && good;
    json_decref(array);
    return true;
}

static int add_callers(json_t *request, const struct text_list *callers)
{
    json_t *array;

    if (callers->count > SESSION_CALLERS_MAX)
        return args_usage("session", "a session names at most %d callers", SESSION_CALLERS_MAX);
    if (callers->count == 0)
        return EX_OK;
    array = json_array();
    if (json_object_set_new(request, "callers", array) != 0)
        return args_fail(EX_OSERR, "out of memory");
    for (size_t i = 0; i < callers->count; i++) {
        const char *text = callers->items[i];
        uint64_t uid;

        if (strncmp(text, "uid=", 4) != 0 || !args_number(text + 4, UINT32_MAX - 1, &uid))
            return args_usage("session", "--caller takes uid=N, not %s", text);
        if (json_array_append_new(array, json_integer((json_int_t)uid)) != 0)
            return args_fail(EX_OSERR, "out of memory");
    }
    return EX_OK;
}

int session_request_build(const char *surface, const struct session_options *options, json_t **out)
{
    json_t *request;
    int64_t ttl_s = 0;
    int code = session_request_ttl(options, &ttl_s);

    if (code != EX_OK)
        return code;
    request = json_pack("{s:s, s:s*, s:I, s:b}", "surface", surface, "params", options->params,
                        "ttl_s", (json_int_t)ttl_s, "once", options->once);
    if (request == NULL)
        return args_fail(EX_DATAERR, "the name of the parameter record is not UTF-8");
    code = add_callers(request, &options->callers);
    if (code == EX_OK && (!add_list(request, "verbs", &options->verbs) ||
                          !add_list(request, "targets", &options->targets)))
        code = args_fail(EX_OSERR, "out of memory");
    if (code == EX_OK)
        *out = request;
    else
        json_decref(request);
    return code;
}
