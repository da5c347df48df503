/*
 * `sidelock session create`, `list`, `show`, `renew`, `revoke`, `ticket`: requests to
 * /v1/sessions on the control socket. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/session_request.h"
#include "cli/snippet.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

/* What the command line of any `session ACTION` says. */
struct call {
    struct gate gate;
    struct session_options options;
    const char *surface, *print;
    bool all;
};

/* Which options an action takes. */
enum { TAKES_TTL = 1, TAKES_LIMITS = 2, TAKES_MANY = 4 };

static int print_token(const json_t *answer)
{
    return gate_print_member(answer, "token");
}

/* A ready-made text instead of the token alone. */
static int create_snippet(struct call *call, json_t *request, const char *surface)
{
    json_t *created = NULL;
    struct place place;
    int code = gate_ask(&call->gate, "POST", request, &created, "/v1/sessions");

    if (code == EX_OK)
        code = place_find(&call->gate, &(struct place_wish){.surface = surface}, &place);
    if (code == EX_OK)
        code = snippet_print(call->print, &place, created);
    json_decref(created);
    return code;
}

static int create(void *context, const struct args *args)
{
    struct call *call = context;
    json_t *request;
    int code;

    if (call->print != NULL && !snippet_known(call->print))
        return args_usage("session", "--print takes mcp-json, curl or env, not %s", call->print);
    code = session_request_build(args->operands[0], &call->options, &request);
    if (code != EX_OK)
        return code;
    if (call->print != NULL)
        return create_snippet(call, request, args->operands[0]);
    return gate_show(&call->gate, "POST", request, print_token, "/v1/sessions");
}

static int renew(void *context, const struct args *args)
{
    struct call *call = context;
    int64_t ttl_s = 0;
    int code = session_request_ttl(&call->options, &ttl_s);

    if (code != EX_OK)
        return code;
    return gate_show(&call->gate, "POST", json_pack("{s:I}", "ttl_s", (json_int_t)ttl_s),
                     print_token, "/v1/sessions/%s/renew", args->operands[0]);
}

static int print_list(const json_t *answer)
{
    static const struct output_column columns[] = {
        {"ID", "id"},
        {"SURFACE", "surface"},
        {"PARAMS", "params"},
        {"STATE", "state"},
        {"EXPIRES", "expires_at"},
        {"ONCE", "once"},
        {"LIVE", "live_connections"},
    };

    return output_list(json_object_get(answer, "sessions"), ARGS_TABLE(columns));
}

static int list(void *context, const struct args *args)
{
    (void)args;
    return gate_show(&((struct call *)context)->gate, "GET", NULL, print_list, "/v1/sessions");
}

static int print_session(const json_t *answer)
{
    static const char *const members[] = {
        "id",         "surface",    "params",     "digest",     "state",
        "created_by", "created_at", "expires_at", "revoked_at", "used_at",
        "once",       "verbs",      "targets",    "callers",    "live_connections"};

    return output_record(answer, ARGS_TABLE(members));
}

static int show(void *context, const struct args *args)
{
    return gate_show(&((struct call *)context)->gate, "GET", NULL, print_session, "/v1/sessions/%s",
                     args->operands[0]);
}

static int print_revoked(const json_t *answer)
{
    const json_t *count = json_object_get(answer, "revoked");

    if (json_is_integer(count))
        printf("%" JSON_INTEGER_FORMAT " revoked.\n", json_integer_value(count));
    else
        puts("Revoked.");
    return EX_OK;
}

static int revoke(void *context, const struct args *args)
{
    struct call *call = context;
    const char *surface = call->surface;

    if (call->all == (args->operand_count > 0))
        return args_usage("session", "`session revoke` takes one id, or --all");
    if (surface != NULL && !call->all)
        return args_usage("session", "--surface goes with `session revoke --all`");
    if (surface != NULL && args_name(surface, "the name of a surface") != EX_OK)
        return EX_DATAERR;
    if (!call->all)
        return gate_show(&call->gate, "DELETE", NULL, print_revoked, "/v1/sessions/%s",
                         args->operands[0]);
    return gate_show(&call->gate, "DELETE", NULL, print_revoked, "/v1/sessions%s%s",
                     surface != NULL ? "?surface=" : "", surface != NULL ? surface : "");
}

static int print_ticket(const json_t *answer)
{
    return gate_print_member(answer, "ticket");
}

static int ticket(void *context, const struct args *args)
{
    return gate_show(&((struct call *)context)->gate, "POST", NULL, print_ticket,
                     "/v1/sessions/%s/ticket", args->operands[0]);
}

int cmd_session(int argc, char **argv)
{
    static const char surface[] = "the name of a surface", id[] = "the id of a session";
    static const struct args_action actions[] = {
        {"create", 1, 1, TAKES_TTL | TAKES_LIMITS, surface, create},
        {"list", 0, 0, 0, NULL, list},
        {"show", 1, 1, 0, id, show},
        {"renew", 1, 1, TAKES_TTL, id, renew},
        {"revoke", 0, 1, TAKES_MANY, id, revoke},
        {"ticket", 1, 1, 0, id, ticket},
    };
    struct call call = {.surface = NULL};
    const struct args_option options[] = {
        SESSION_OPTIONS(call.options, TAKES_LIMITS),
        {.name = "--caller", .list = &call.options.callers, .group = TAKES_LIMITS},
        {.name = "--print", .value = &call.print, .group = TAKES_LIMITS},
        {.name = "--once", .flag = &call.options.once, .group = TAKES_LIMITS},
        {.name = "--ttl", .value = &call.options.ttl, .group = TAKES_TTL},
        {.name = "--all", .flag = &call.all, .group = TAKES_MANY},
        {.name = "--surface", .value = &call.surface, .group = TAKES_MANY},
        GATE_OPTIONS_JSON(call.gate),
    };
    int code = args_run(argc, argv, ARGS_TABLE(options), ARGS_TABLE(actions), &call);

    session_options_clear(&call.options);
    return code;
}
