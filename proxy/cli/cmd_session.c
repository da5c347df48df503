/*
 * `sidelock session create`, `list`, `show`, `renew`, `revoke`, `ticket`: requests to
 * /v1/sessions on the control socket. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/place.h"
#include "cli/session_request.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
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

/* ---- Ready-made texts for clients of a new session: what to put where ---- */

static bool is_websocket(const struct place *place)
{
    return place->at.transport == CONNECT_WEBSOCKET;
}

static void url_of(const struct place *place, char *out, size_t size)
{
    snprintf(out, size, "%s%s://%s%s", is_websocket(place) ? "ws" : "http", place->tls ? "s" : "",
             place->at.host, place->at.path);
}

/* Within single quotes, for a shell. */
static void print_quoted(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    }
    putchar('\'');
}

/* Two entries of one meaning: a client that starts programs takes the first, another the second. */
static int print_mcp_json(const struct place *place, const char *token)
{
    char url[CONNECT_PATH_BYTES_MAX + 512], name[128], bearer[4096];
    json_t *root, *servers;
    int code;

    url_of(place, url, sizeof(url));
    snprintf(name, sizeof(name), "%s-%s", place->surface, is_websocket(place) ? "ws" : "http");
    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    servers = json_object();
    if (place->mcp)
        json_object_set_new(
            servers, place->surface,
            json_pack("{s:s,s:[s,s]}", "command", "sidelock", "args", "connect", place->surface));
    json_object_set_new(servers, name,
                        json_pack("{s:s,s:s,s:{s:s}}", "type", is_websocket(place) ? "ws" : "http",
                                  "url", url, "headers", "Authorization", bearer));
    root = json_pack("{s:o}", "mcpServers", servers);
    code = output_json_indented(root);
    json_decref(root);
    if (code != EX_OK)
        return code;
    fprintf(stderr,
            "sidelock: keep one of the two. \"%s\" needs no token and renews its own session;\n"
            "sidelock: \"%s\" is for clients that send headers and ends when the session does.\n",
            place->surface, name);
    return EX_OK;
}

/* A here-document feeds curl its header: neither argv nor a file ever holds the token. */
static int print_curl(const struct place *place, const char *token)
{
    static const char initialize[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"curl\",\"version\":\"1\"}}}";
    char url[CONNECT_PATH_BYTES_MAX + 512];
    struct place plain = *place;

    plain.at.transport = CONNECT_HTTP;
    url_of(&plain, url, sizeof(url));
    fputs("curl -sS --fail-with-body -H @- ", stdout);
    if (is_websocket(place))
        fputs("--http1.1 --include --no-buffer --max-time 5 -H 'Connection: Upgrade' "
              "-H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' "
              "-H 'Sec-WebSocket-Key: c2lkZWxvY2stc25pcHBldA==' ",
              stdout);
    if (place->at.subprotocol[0] != '\0' && is_websocket(place))
        printf("-H 'Sec-WebSocket-Protocol: %s' ", place->at.subprotocol);
    if (place->mcp && !is_websocket(place)) {
        fputs("-H 'Content-Type: application/json' "
              "-H 'Accept: application/json, text/event-stream' --data ",
              stdout);
        print_quoted(initialize);
        putchar(' ');
    }
    print_quoted(url);
    printf(" <<'END'\nAuthorization: Bearer %s\nEND\n", token);
    return EX_OK;
}

static int print_env(const struct place *place, const char *token)
{
    char url[CONNECT_PATH_BYTES_MAX + 512];

    url_of(place, url, sizeof(url));
    printf("export SIDELOCK_TOKEN=%s\nexport SIDELOCK_URL=", token);
    print_quoted(url);
    putchar('\n');
    return EX_OK;
}

static const struct snippet {
    const char *kind;
    int (*print)(const struct place *place, const char *token);
} snippets[] = {{"mcp-json", print_mcp_json}, {"curl", print_curl}, {"env", print_env}};

static const struct snippet *find_snippet(const char *kind)
{
    for (size_t i = 0; i < sizeof(snippets) / sizeof(snippets[0]); i++) {
        if (strcmp(snippets[i].kind, kind) == 0)
            return &snippets[i];
    }
    return NULL;
}

/* ---- The actions ---- */

static int print_token(const json_t *answer)
{
    return gate_print_member(answer, "token");
}

/* A ready-made text instead of the token alone; the token is never part of a command line in it. */
static int create_snippet(struct call *call, json_t *request, const char *surface,
                          const struct snippet *snippet)
{
    json_t *created = NULL;
    const char *token;
    struct place place;
    int code = gate_ask(&call->gate, "POST", request, &created, "/v1/sessions");

    if (code == EX_OK)
        code = place_find(&call->gate, &(struct place_wish){.surface = surface}, &place);
    token = json_string_value(json_object_get(created, "token"));
    if (code == EX_OK && place.tls && snippet->print != print_env)
        fputs("sidelock: the client must trust the authority in ca.pem; `sidelock certs show` says "
              "how.\n",
              stderr);
    if (code == EX_OK)
        code = token != NULL ? snippet->print(&place, token) : gate_print_member(created, "token");
    json_decref(created);
    return code;
}

static int create(void *context, const struct args *args)
{
    struct call *call = context;
    const char *surface = args->operands[0];
    const struct snippet *snippet = call->print != NULL ? find_snippet(call->print) : NULL;
    json_t *request;
    int code;

    if (call->print != NULL && snippet == NULL)
        return args_usage("session", "--print takes mcp-json, curl or env, not %s", call->print);
    code = session_request_build(surface, &call->options, &request);
    if (code != EX_OK)
        return code;
    if (snippet != NULL)
        return create_snippet(call, request, surface, snippet);
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
    return gate_list(&((struct call *)context)->gate, "/v1/sessions", "sessions", print_list);
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
        {.name = "--caller",
         .takes = "uid=N",
         .about = "the user who may use the token; may be repeated",
         .list = &call.options.callers,
         .group = TAKES_LIMITS},
        {.name = "--print",
         .takes = "mcp-json|curl|env",
         .about = "a snippet in the place of the token",
         .value = &call.print,
         .group = TAKES_LIMITS},
        {.name = "--once",
         .about = "good for one WebSocket or one HTTP request",
         .flag = &call.options.once,
         .group = TAKES_LIMITS},
        {.name = "--ttl",
         .takes = "TIME",
         .about = "how long it lives, as 90s, 15m, 8h or 7d",
         .value = &call.options.ttl,
         .group = TAKES_TTL},
        {.name = "--all", .about = "all of them", .flag = &call.all, .group = TAKES_MANY},
        {.name = "--surface",
         .takes = "SURFACE",
         .about = "those of one surface",
         .value = &call.surface,
         .group = TAKES_MANY},
        GATE_OPTIONS_JSON(call.gate),
    };
    int code = args_run(argc, argv, ARGS_TABLE(options), ARGS_TABLE(actions), &call);

    session_options_clear(&call.options);
    return code;
}
