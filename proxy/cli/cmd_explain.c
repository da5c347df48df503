/*
 * `sidelock explain`: describes a request on the command line, has policy/explain.c run it
 * through the steps of admission, and prints what each says. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/cmd_explain_service.h"
#include "cli/cmd_explain_verb.h"
#include "cli/config_file.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "policy/explain.h"
#include "policy/login_cookie.h"
#include "policy/session.h"
#include "system/user_groups.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#define HOST_BYTES       300
#define TARGET_BYTES_MAX (REQUEST_PATH_BYTES_MAX + REQUEST_QUERY_BYTES_MAX)

/* What the command line says, and the copies that a request borrows from. */
struct call {
    struct gate gate;
    const char *surface, *method, *session, *caller, *peer, *executable, *certificate;
    struct text_list headers;
    const char *verb; /* to be explained, of messages of the path's; NULL: the request */
    enum direction direction;
    bool plain, json;
    uint8_t peer_address[16];
    char target[TARGET_BYTES_MAX]; /* path and query, cut at '?' */
    char host[HOST_BYTES];
    struct buffer cookies;     /* the login cookie's values */
    struct user_groups groups; /* of the caller */
};

/* Splits "Name: value" at the colon; the value without surrounding blanks, or NULL. */
static const char *header_value(char *header)
{
    char *colon = strchr(header, ':');
    size_t length;

    if (colon == NULL || colon == header)
        return NULL;
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    length = strlen(colon);
    while (length > 0 && (colon[length - 1] == ' ' || colon[length - 1] == '\t'))
        colon[--length] = '\0';
    return colon;
}

/* The login cookie's values among the cookies given. */
static void read_cookies(struct call *call, const struct surface *surface, const char *cookies,
                         struct request *request)
{
    struct http_request head = {.fields = {{{span_of("cookie"), span_of(cookies)}}, 1}};

    if (reason_allows(login_cookie_find(surface, &head, &call->cookies)) &&
        call->cookies.length > 0)
        request->cookie = call->cookies.data;
}

/* Of the headers that are for no credential, one that holds what looks like one. */
static void keep_stray(struct request *request, const char *value)
{
    struct stray stray = {0};

    if (stray_in(&stray, span_of(value), false))
        request->strays = value;
}

static int read_headers(struct call *call, const struct surface *surface, struct request *request)
{
    const char *cookies = NULL;
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"host", &request->host},
        {"origin", &request->origin},
        {"authorization", &request->authorization},
        {"sec-websocket-protocol", &request->subprotocols},
        {"sec-fetch-site", &request->fetch_site},
        {"referer", &request->referer},
        {"cookie", &cookies},
    };

    for (size_t i = 0; i < call->headers.count; i++) {
        char *name = call->headers.items[i];
        const char *value = header_value(name);

        if (value == NULL)
            return args_usage("explain", "-H takes 'Name: value', not %s", name);
        if (strcasecmp(name, "upgrade") == 0)
            request->upgrade = strcasecmp(value, "websocket") == 0;
        if (strcasecmp(name, "cookie") != 0 && strcasecmp(name, "authorization") != 0 &&
            strcasecmp(name, "sec-websocket-protocol") != 0)
            keep_stray(request, value);
        for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++) {
            if (strcasecmp(name, known[j].name) != 0)
                continue;
            if (*known[j].value != NULL)
                return args_usage("explain", "%s may occur once", known[j].name);
            *known[j].value = value;
        }
    }
    read_cookies(call, surface, cookies, request);
    return EX_OK;
}

/* What the client of this surface would most likely send. */
static void assume_host(struct call *call, const struct surface *surface, struct request *request)
{
    const struct listen_address *first = &surface->listen[0];

    if (request->host != NULL)
        return;
    if (surface->hosts.count > 0)
        snprintf(call->host, sizeof(call->host), "%s", surface->hosts.items[0]);
    else
        snprintf(call->host, sizeof(call->host), strchr(first->host, ':') ? "[%s]:%u" : "%s:%u",
                 first->host, first->port);
    request->host = call->host;
}

/* Here and now, as the gate would on its host; it remembers them for a minute. */
static void look_up_groups(struct call *call, const struct surface *surface,
                           struct request *request)
{
    if (surface->caller_gid_count == 0 ||
        user_groups_find(request->caller_uid, &call->groups) != OK)
        return;
    request->caller_gids = call->groups.gids;
    request->caller_gid_count = call->groups.count;
}

static int read_request(struct call *call, const struct surface *surface, const char *target,
                        struct request *request)
{
    uint64_t uid = getuid();
    char *query;
    bool plain;

    if (strlen(target) >= sizeof(call->target) || target[0] != '/')
        return args_fail(EX_DATAERR, "a path begins with '/' and has at most %d bytes",
                         TARGET_BYTES_MAX - 1);
    if (call->caller != NULL && (strncmp(call->caller, "uid=", 4) != 0 ||
                                 !args_number(call->caller + 4, UINT32_MAX - 1, &uid)))
        return args_usage("explain", "--caller takes uid=N, not %s", call->caller);
    memcpy(call->target, target, strlen(target) + 1);
    if (call->peer != NULL && !config_address_parse(call->peer, call->peer_address))
        return args_usage("explain", "--peer takes an address, not %s", call->peer);
    query = strchr(call->target, '?');
    if (query != NULL)
        *query++ = '\0';
    plain = call->plain || (call->method != NULL && strcmp(call->method, "GET") != 0) ||
            !explain_upgrades(surface, call->target);
    *request = (struct request){.method = call->method != NULL ? call->method : "GET",
                                .query = query,
                                .upgrade = !plain,
                                .certificate = call->certificate,
                                .secure = surface->tls != NULL,
                                .peer = call->peer != NULL ? call->peer_address : NULL,
                                .caller_known = true,
                                .caller_program = call->executable,
                                .caller_program_looked = call->executable != NULL,
                                .caller_uid = (uint32_t)uid};
    look_up_groups(call, surface, request);
    if (read_headers(call, surface, request) != EX_OK)
        return EX_USAGE;
    assume_host(call, surface, request);
    return EX_OK;
}

static bool names_caller(const json_t *callers, uint32_t uid)
{
    const json_t *item;
    size_t i;

    json_array_foreach(callers, i, item)
    {
        if (json_integer_value(item) == (json_int_t)uid)
            return true;
    }
    return false;
}

static enum reason judge_session(const json_t *session, const struct surface *surface, uint32_t uid)
{
    const char *name = json_string_value(json_object_get(session, "surface"));
    const char *state = json_string_value(json_object_get(session, "state"));
    const json_t *callers = json_object_get(session, "callers");

    if (name == NULL || state == NULL)
        return REASON_INTERNAL;
    if (strcmp(name, surface->name) != 0)
        return REASON_TOKEN_WRONG_SURFACE;
    if (json_is_array(callers) && !names_caller(callers, uid) &&
        reason_allows(session_ended_as(state)))
        return REASON_CALLER_MISMATCH;
    return session_ended_as(state);
}

/* Asks the running gate about a session; its token is taken to be presented. */
static int look_up_session(struct call *call, const struct surface *surface, uint32_t uid,
                           struct explain_session *out)
{
    json_t *session = NULL;
    char room[64];
    int code = args_name(call->session, "the id of a session");

    if (code == EX_OK)
        code = gate_ask(&call->gate, "GET", NULL, &session, "/v1/sessions/%s", call->session);
    if (code != EX_OK)
        return code;
    out->reason = judge_session(session, surface, uid);
    out->has_params = json_is_string(json_object_get(session, "params"));
    snprintf(out->rule, sizeof(out->rule), "session %s is %s", call->session,
             output_member(session, "state", room, sizeof(room)));
    json_decref(session);
    return EX_OK;
}

static const char *step_verdict(const struct explain_step *step)
{
    if (step->unknown)
        return "unknown";
    return reason_allows(step->reason) ? "allow" : "deny";
}

/* For people nothing stands where there is no reason to deny. */
static json_t *list_steps(const struct explanation *explanation, bool for_people)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < explanation->count; i++) {
        const struct explain_step *step = &explanation->steps[i];
        bool shown = !for_people || !reason_allows(step->reason);

        json_array_append_new(steps,
                              json_pack("{s:s, s:s, s:s?, s:o}", "step", steps_name(step->id),
                                        "verdict", step_verdict(step), "reason",
                                        shown ? reason_info(step->reason)->code : NULL, "rule",
                                        output_string(step->rule)));
    }
    return steps;
}

static int print_json(const struct explanation *explanation)
{
    const struct reason_info *info = reason_info(explanation->verdict);
    bool allowed = reason_allows(explanation->verdict);
    json_t *steps = list_steps(explanation, false);
    json_t *root = json_pack("{s:s, s:s, s:i, s:s, s:o}", "verdict", allowed ? "allow" : "deny",
                             "reason", info->code, "status", (int)info->http_status, "detail",
                             info->text, "steps", steps);
    int code;

    if (root != NULL && json_array_size(steps) == explanation->count)
        code = output_json_indented(root);
    else
        code = args_fail(EX_OSERR, "out of memory");
    json_decref(root);
    return code;
}

static int print_text(const struct explanation *explanation)
{
    static const struct output_column columns[] = {
        {"STEP", "step"}, {"VERDICT", "verdict"}, {"REASON", "reason"}, {"RULE", "rule"}};
    const struct reason_info *info = reason_info(explanation->verdict);
    json_t *steps = list_steps(explanation, true);
    int code = output_list(steps, ARGS_TABLE(columns));

    json_decref(steps);
    if (reason_allows(explanation->verdict))
        puts("\nAdmitted, if every step that is unknown here allows it.");
    else
        printf("\nDenied: %u %s: %s.\n", info->http_status, info->code, info->text);
    return code;
}

static int explain(struct call *call, const struct surface *surface, const char *target)
{
    struct explanation explanation;
    struct request request = {0};
    struct explain_session session;
    int code = read_request(call, surface, target, &request);

    if (code == EX_OK && call->session != NULL)
        code = look_up_session(call, surface, request.caller_uid, &session);
    if (code != EX_OK)
        return code;
    explain_run(surface, call->target, &request, call->session != NULL ? &session : NULL,
                &explanation);
    code = call->json ? print_json(&explanation) : print_text(&explanation);
    if (code == EX_OK && !reason_allows(explanation.verdict))
        code = EXIT_FAILURE;
    return code;
}

/* `target` NULL: the surface's service. */
static int run(struct call *call, const char *target)
{
    const struct surface *surface;
    struct config_bundle bundle;
    int code = config_file_bundle(call->gate.config, TRUST_GIVEN, &bundle);

    if (code != EX_OK)
        return code;
    surface = config_surface(bundle.config, call->surface);
    if (surface == NULL)
        code = args_fail(EX_DATAERR, "the configuration has no surface %s", call->surface);
    else if (target == NULL)
        code = explain_service(&bundle, surface, call->json);
    else if (call->verb != NULL)
        code = explain_verb(surface, target, call->verb, call->direction, call->json);
    else
        code = explain(call, surface, target);
    bundle_clear(&bundle);
    return code;
}

/* What goes together. */
static int check_options(struct call *call, const char *direction, bool has_path)
{
    const bool of_request = call->method != NULL || call->session != NULL || call->verb != NULL ||
                            call->plain || call->peer != NULL || call->headers.count > 0;

    if (direction != NULL && strcmp(direction, "s2c") == 0)
        call->direction = DIRECTION_S2C;
    else if (direction != NULL && strcmp(direction, "c2s") != 0)
        return args_usage("explain", "--direction takes c2s or s2c, not %s", direction);
    if (call->surface == NULL)
        return args_usage("explain", "--surface S is needed");
    if (of_request && !has_path)
        return args_usage("explain", "the PATH of the request is needed");
    return EX_OK;
}

int cmd_explain(int argc, char **argv)
{
    struct call call = {0};
    const char *direction = NULL;
    const struct args_option options[] = {
        {.name = "--surface", .takes = "SURFACE", .about = "the surface", .value = &call.surface},
        {.name = "--method",
         .takes = "METHOD",
         .about = "the method of the request",
         .value = &call.method},
        {.name = "--session",
         .takes = "ID",
         .about = "a session of a running Sidelock",
         .value = &call.session},
        {.name = "--caller",
         .takes = "uid=N",
         .about = "the user who is taken to ask",
         .value = &call.caller},
        {.name = "--peer",
         .takes = "ADDRESS",
         .about = "whence the client is taken to come",
         .value = &call.peer},
        {.name = "--executable",
         .takes = "PATH",
         .about = "the program that is taken to ask",
         .value = &call.executable},
        {.name = "--certificate",
         .takes = "SHA256",
         .about = "the fingerprint of the certificate that it shows",
         .value = &call.certificate},
        {.name = "-H",
         .takes = "HEADER",
         .about = "a header of the request, as in \"Name: value\"; may be repeated",
         .list = &call.headers},
        {.name = "--verb",
         .takes = "VERB",
         .about = "what a message at this path is to do",
         .value = &call.verb},
        {.name = "--direction",
         .takes = "c2s|s2c",
         .about = "from the client to the service, or back",
         .value = &direction},
        {.name = "--plain", .about = "no upgrade to a WebSocket", .flag = &call.plain},
        {.name = "--json", .about = "JSON in the place of text", .flag = &call.json},
        GATE_OPTIONS(call.gate),
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 1, &args);

    if (code == EX_OK)
        code = check_options(&call, direction, args.operand_count > 0);
    buffer_init(&call.cookies, HTTP_HEAD_BYTES_MAX);
    if (code == EX_OK)
        code = run(&call, args.operand_count > 0 ? args.operands[0] : NULL);
    buffer_clear(&call.cookies);
    user_groups_clear(&call.groups);
    text_list_clear(&call.headers);
    return code;
}
