/*
 * `sidelock session create`, `list`, `show`, `renew`, `revoke`, `ticket`: requests to
 * /v1/sessions on the control socket. Called by its row in verbs.c.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/session_request.h"
#include "cli/snippet.h"
#include "policy/session.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROOM_BYTES 1024

/* What the command line of any `session ACTION` says. */
struct call {
    struct client client;
    struct session_options options;
    const char *surface, *print;
    bool all, json;
    const char *operand; /* a surface or an id; NULL: none */
};

static const struct span no_body = {NULL, 0};

/* Prints the answer as it came, or hands its parsed form to `print`. */
static int print_answer(const struct call *call, const struct buffer *answer,
                        int (*print)(const json_t *root))
{
    json_t *root;
    int code;

    if (call->json) {
        fwrite(answer->data, 1, answer->length, stdout);
        return EX_OK;
    }
    root = output_parse((struct span){answer->data, answer->length});
    if (root == NULL)
        return EX_PROTOCOL;
    code = print(root);
    json_decref(root);
    return code;
}

static int print_token(const json_t *root)
{
    const char *token = json_string_value(json_object_get(root, "token"));

    if (token == NULL)
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no token");
    puts(token);
    return EX_OK;
}

static int print_snippet(const struct call *call, const struct buffer *answer)
{
    json_t *created = output_parse((struct span){answer->data, answer->length});
    struct place place;
    int code;

    if (created == NULL)
        return EX_PROTOCOL;
    code = place_find(&call->client, &(struct place_wish){.surface = call->operand}, &place);
    if (code == EX_OK)
        code = snippet_print(call->print, &place, created);
    json_decref(created);
    return code;
}

static int create(const struct call *call, struct buffer *answer)
{
    struct buffer request;
    int code;

    if (call->print != NULL && !snippet_known(call->print))
        return args_usage("session", "--print takes mcp-json, curl or env, not %s", call->print);
    buffer_init(&request, CLIENT_ANSWER_BYTES_MAX);
    code = session_request_build(call->operand, &call->options, &request);
    if (code == EX_OK)
        code = client_call(&call->client, "POST", "/v1/sessions",
                           (struct span){request.data, request.length}, answer);
    if (code == EX_OK && call->print != NULL)
        code = print_snippet(call, answer);
    else if (code == EX_OK)
        code = print_answer(call, answer, print_token);
    buffer_clear(&request);
    return code;
}

static int renew(const struct call *call, struct buffer *answer)
{
    char path[CLIENT_PATH_BYTES_MAX], body[64];
    int64_t ttl_s = 0;
    int code = session_request_ttl(&call->options, &ttl_s);

    if (code != EX_OK)
        return code;
    snprintf(path, sizeof(path), "/v1/sessions/%s/renew", call->operand);
    snprintf(body, sizeof(body), "{\"ttl_s\":%lld}", (long long)ttl_s);
    code = client_call(&call->client, "POST", path, span_of(body), answer);
    return code == EX_OK ? print_answer(call, answer, print_token) : code;
}

static int print_sessions(const json_t *root)
{
    static const char *const header[] = {"ID",      "SURFACE", "PARAMS", "STATE",
                                         "EXPIRES", "ONCE",    "LIVE"};
    static const char *const members[] = {"id",         "surface", "params",          "state",
                                          "expires_at", "once",    "live_connections"};
    const size_t columns = sizeof(header) / sizeof(header[0]);
    struct output_table table;
    char room[ROOM_BYTES];
    json_t *session;
    size_t i;

    output_table_init(&table, header, columns);
    json_array_foreach(json_object_get(root, "sessions"), i, session)
    {
        for (size_t j = 0; j < columns; j++)
            output_table_cell(&table, output_member(session, members[j], room, sizeof(room)));
    }
    return output_table_print(&table);
}

static int list(const struct call *call, struct buffer *answer)
{
    int code = client_call(&call->client, "GET", "/v1/sessions", no_body, answer);

    return code == EX_OK ? print_answer(call, answer, print_sessions) : code;
}

static int print_session(const json_t *root)
{
    static const char *const members[] = {
        "id",         "surface",    "params",     "digest",     "state",
        "created_by", "created_at", "expires_at", "revoked_at", "used_at",
        "once",       "verbs",      "targets",    "callers",    "live_connections"};
    static const char *const header[] = {"MEMBER", "VALUE"};
    struct output_table table;
    char room[ROOM_BYTES];

    output_table_init(&table, header, 2);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        output_table_cell(&table, members[i]);
        output_table_cell(&table, output_member(root, members[i], room, sizeof(room)));
    }
    return output_table_print(&table);
}

static int show(const struct call *call, struct buffer *answer)
{
    char path[CLIENT_PATH_BYTES_MAX];
    int code;

    snprintf(path, sizeof(path), "/v1/sessions/%s", call->operand);
    code = client_call(&call->client, "GET", path, no_body, answer);
    return code == EX_OK ? print_answer(call, answer, print_session) : code;
}

static int print_revoked(const json_t *root)
{
    const json_t *count = json_object_get(root, "revoked");

    if (json_is_integer(count))
        printf("%" JSON_INTEGER_FORMAT " revoked.\n", json_integer_value(count));
    else
        puts("Revoked.");
    return EX_OK;
}

static int revoke(const struct call *call, struct buffer *answer)
{
    char path[CLIENT_PATH_BYTES_MAX];
    int code;

    if (call->all == (call->operand != NULL))
        return args_usage("session", "`session revoke` takes one id, or --all");
    if (call->surface != NULL && !call->all)
        return args_usage("session", "--surface goes with `session revoke --all`");
    if (call->surface != NULL && !text_is_name(call->surface))
        return args_fail(EX_DATAERR, "%s is not the name of a surface", call->surface);
    if (call->all)
        snprintf(path, sizeof(path), "/v1/sessions%s%s", call->surface != NULL ? "?surface=" : "",
                 call->surface != NULL ? call->surface : "");
    else
        snprintf(path, sizeof(path), "/v1/sessions/%s", call->operand);
    code = client_call(&call->client, "DELETE", path, no_body, answer);
    return code == EX_OK ? print_answer(call, answer, print_revoked) : code;
}

static int print_ticket(const json_t *root)
{
    const char *ticket = json_string_value(json_object_get(root, "ticket"));

    if (ticket == NULL)
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no ticket");
    puts(ticket);
    return EX_OK;
}

static int ticket(const struct call *call, struct buffer *answer)
{
    char path[CLIENT_PATH_BYTES_MAX];
    int code;

    snprintf(path, sizeof(path), "/v1/sessions/%s/ticket", call->operand);
    code = client_call(&call->client, "POST", path, no_body, answer);
    return code == EX_OK ? print_answer(call, answer, print_ticket) : code;
}

/* Which options an action takes. */
enum { TAKES_TTL = 1, TAKES_LIMITS = 2, TAKES_MANY = 4 };

static const struct action {
    const char *name;
    size_t operands_min, operands_max; /* after the action */
    unsigned takes;
    int (*run)(const struct call *call, struct buffer *answer);
} actions[] = {
    {"create", 1, 1, TAKES_TTL | TAKES_LIMITS, create},
    {"list", 0, 0, 0, list},
    {"show", 1, 1, 0, show},
    {"renew", 1, 1, TAKES_TTL, renew},
    {"revoke", 0, 1, TAKES_MANY, revoke},
    {"ticket", 1, 1, 0, ticket},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

static bool options_fit(const struct call *call, const struct action *action)
{
    unsigned given = 0;

    if (call->options.ttl != NULL)
        given |= TAKES_TTL;
    if (call->print != NULL || call->options.params != NULL || call->options.once ||
        call->options.verbs.count > 0 || call->options.targets.count > 0 ||
        call->options.callers.count > 0)
        given |= TAKES_LIMITS;
    if (call->all || call->surface != NULL)
        given |= TAKES_MANY;
    return (given & ~action->takes) == 0;
}

static int run(struct call *call, const struct action *action)
{
    struct buffer answer;
    int code;

    if (call->operand != NULL && !text_is_name(call->operand))
        return args_fail(EX_DATAERR, "%s is not the %s", call->operand,
                         (action->takes & TAKES_LIMITS) != 0 ? "name of a surface"
                                                             : "id of a session");
    code = client_open(&call->client);
    if (code != EX_OK)
        return code;
    buffer_init(&answer, CLIENT_ANSWER_BYTES_MAX);
    code = action->run(call, &answer);
    buffer_wipe(&answer);
    client_close(&call->client);
    return code;
}

static int parse_and_run(int argc, char **argv, struct call *call)
{
    const struct args_option options[] = {
        {.name = "--params", .value = &call->options.params},
        {.name = "--ttl", .value = &call->options.ttl},
        {.name = "--allow", .list = &call->options.verbs},
        {.name = "--tool", .list = &call->options.targets},
        {.name = "--caller", .list = &call->options.callers},
        {.name = "--print", .value = &call->print},
        {.name = "--once", .flag = &call->options.once},
        {.name = "--all", .flag = &call->all},
        {.name = "--surface", .value = &call->surface},
        {.name = "--json", .flag = &call->json},
        {.name = "-c", .value = &call->client.config},
        {.name = "--control", .value = &call->client.control},
    };
    const struct action *action;
    struct args args;
    int code = args_parse(argc, argv, options, sizeof(options) / sizeof(options[0]), 1, 2, &args);

    if (code != EX_OK)
        return code;
    action = find_action(args.operands[0]);
    if (action == NULL)
        return args_usage(argv[0], "there is no `session %s`", args.operands[0]);
    if (args.operand_count - 1 < action->operands_min ||
        args.operand_count - 1 > action->operands_max)
        return args_usage(argv[0], "`session %s` takes %zu argument%s", action->name,
                          action->operands_max, action->operands_max == 1 ? "" : "s");
    if (!options_fit(call, action))
        return args_usage(argv[0], "`session %s` does not take that option", action->name);
    call->operand = args.operand_count > 1 ? args.operands[1] : NULL;
    return run(call, action);
}

int cmd_session(int argc, char **argv)
{
    struct call call = {0};
    int code = parse_and_run(argc, argv, &call);

    text_list_clear(&call.options.verbs);
    text_list_clear(&call.options.targets);
    text_list_clear(&call.options.callers);
    return code;
}
