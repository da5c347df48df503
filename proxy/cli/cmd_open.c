/*
 * `sidelock open`: makes a session, asks the control socket for a login code, and prints the one
 * address that logs a browser in. Called by its row in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/session_request.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define TTL_DEFAULT "8h" /* a working day, not the quarter of an hour that a program gets */

struct call {
    struct client client;
    struct session_options options;
    const char *host; /* NULL: the gate chooses */
    bool json;
    char session[64]; /* the id, once there is one */
};

static const struct span no_body = {NULL, 0};

/* What stands in an address before the path; it goes into a query as it is. */
static bool host_valid(const char *host)
{
    for (; *host != '\0'; host++) {
        if (!isalnum((unsigned char)*host) && strchr(".-:[]", *host) == NULL)
            return false;
    }
    return true;
}

/* The session's token is not for anybody: the browser gets a cookie. */
static int create_session(struct call *call, const char *surface)
{
    struct buffer request, answer;
    json_t *root = NULL;
    int code;

    buffer_init(&request, CLIENT_ANSWER_BYTES_MAX);
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = session_request_build(surface, &call->options, &request);
    if (code == EX_OK)
        code = client_call(&call->client, "POST", "/v1/sessions",
                           (struct span){request.data, request.length}, &answer);
    if (code == EX_OK) {
        root = output_parse((struct span){answer.data, answer.length});
        const char *id = json_string_value(json_object_get(root, "id"));

        if (id != NULL && text_is_name(id) && strlen(id) < sizeof(call->session))
            memcpy(call->session, id, strlen(id) + 1);
        else
            code = args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no session");
    }
    json_decref(root);
    buffer_wipe(&answer);
    buffer_clear(&request);
    return code;
}

static int print_url(const struct call *call, const struct buffer *answer)
{
    json_t *root;
    const char *url;
    int code = EX_OK;

    if (call->json) {
        fwrite(answer->data, 1, answer->length, stdout);
        return EX_OK;
    }
    root = output_parse((struct span){answer->data, answer->length});
    url = json_string_value(json_object_get(root, "url"));
    if (url != NULL)
        puts(url);
    else
        code = args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no address");
    json_decref(root);
    return code;
}

static int ask_login(const struct call *call, struct buffer *answer)
{
    char path[CLIENT_PATH_BYTES_MAX];

    snprintf(path, sizeof(path), "/v1/sessions/%s/login%s%s", call->session,
             call->host != NULL ? "?host=" : "", call->host != NULL ? call->host : "");
    return client_call(&call->client, "POST", path, no_body, answer);
}

/* Nobody will use a session whose address was never printed. */
static void forget_session(const struct call *call)
{
    char path[CLIENT_PATH_BYTES_MAX];
    struct buffer answer;

    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    snprintf(path, sizeof(path), "/v1/sessions/%s", call->session);
    if (client_call(&call->client, "DELETE", path, no_body, &answer) != EX_OK)
        args_fail(EX_SOFTWARE, "session %s stays; `sidelock session revoke` ends it",
                  call->session);
    buffer_clear(&answer);
}

static int run(struct call *call, const char *surface)
{
    struct buffer answer;
    int code;

    if (!text_is_name(surface))
        return args_fail(EX_DATAERR, "%s is not the name of a surface", surface);
    if (call->host != NULL && !host_valid(call->host))
        return args_fail(EX_DATAERR, "%s is not a host", call->host);
    code = client_open(&call->client);
    if (code != EX_OK)
        return code;
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = create_session(call, surface);
    if (code == EX_OK) {
        code = ask_login(call, &answer);
        if (code == EX_OK)
            code = print_url(call, &answer);
        if (code != EX_OK)
            forget_session(call);
    }
    buffer_wipe(&answer);
    client_close(&call->client);
    return code;
}

int cmd_open(int argc, char **argv)
{
    struct call call = {0};
    const struct args_option options[] = {
        {.name = "--params", .value = &call.options.params},
        {.name = "--ttl", .value = &call.options.ttl},
        {.name = "--allow", .list = &call.options.verbs},
        {.name = "--tool", .list = &call.options.targets},
        {.name = "--caller", .list = &call.options.callers},
        {.name = "--host", .value = &call.host},
        {.name = "--json", .flag = &call.json},
        {.name = "-c", .value = &call.client.config},
        {.name = "--control", .value = &call.client.control},
    };
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 1, 1, &args);

    if (call.options.ttl == NULL)
        call.options.ttl = TTL_DEFAULT;
    if (code == EX_OK)
        code = run(&call, args.operands[0]);
    text_list_clear(&call.options.verbs);
    text_list_clear(&call.options.targets);
    text_list_clear(&call.options.callers);
    return code;
}
