/*
 * `sidelock vet`: runs messages from standard input, one a line, through vet/ as a worker would,
 * without a service. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/config_file.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "policy/admission.h"
#include "policy/params.h"
#include "vet/vet.h"
#include "json/parse.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What the command line says, and what a session adds to the surface's rules. */
struct call {
    struct gate gate;
    const char *surface, *session, *direction, *route;
    struct text_list verbs, targets;
    char match_digest[SHA256_HEX_SIZE];
    bool json; /* the output is JSON anyway */
};

static int find_direction(const char *text, enum direction *out)
{
    if (text == NULL || strcmp(text, "c2s") == 0)
        *out = DIRECTION_C2S;
    else if (strcmp(text, "s2c") == 0)
        *out = DIRECTION_S2C;
    else
        return args_usage("vet", "--direction takes c2s or s2c, not %s", text);
    return EX_OK;
}

/* Whether messages are sent on it. */
static bool has_messages(const struct route *route)
{
    return route->kind == ROUTE_WEBSOCKET || route->kind == ROUTE_MCP_HTTP;
}

/* The route as the configuration writes it, or one that a path leads to; without a name the first
 * that has messages. */
static const struct route *find_route(const struct surface *surface, const char *path)
{
    const struct route *route = NULL;

    for (size_t i = 0; i < surface->route_count; i++) {
        route = &surface->routes[i];
        if (path == NULL ? has_messages(route)
                         : strcmp(route->path, path) == 0 && has_messages(route))
            return route;
    }
    if (path == NULL || !reason_allows(admission_route(surface, path, true, &route)))
        return NULL;
    return route;
}

/* Copies a list of the session's; *set stays NULL if the session sets no limit. */
static int read_list(const json_t *value, struct text_list *list, const struct text_list **set)
{
    if (json_texts(value, list) != OK)
        return args_fail(EX_PROTOCOL,
                         "a list in the answer of the running Sidelock cannot be read");
    if (json_is_array(value))
        *set = list;
    return EX_OK;
}

/* The digest of the part of the session's record that a message must equal, as the gate has it. */
static int read_match(struct call *call, const json_t *session, const struct route *route,
                      struct vet_rules *rules)
{
    const char *name = json_string_value(json_object_get(session, "params"));
    struct params *params = NULL;
    json_t *record = NULL;
    char *text;
    int code;

    if (route->match_from == NULL || name == NULL)
        return EX_OK;
    if (!text_is_name(name))
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock names no valid record");
    code = gate_ask(&call->gate, "GET", NULL, &record, "/v1/params/%s?reveal=1", name);
    if (code != EX_OK)
        return code;
    text = json_dumps(json_object_get(record, "record"), JSON_COMPACT);
    json_decref(record);
    if (text == NULL || params_parse(text, strlen(text), &params) != OK)
        code = args_fail(EX_PROTOCOL, "the parameter record %s cannot be read", name);
    else if (params_part_digest(params, route->match_from, call->match_digest) == OK)
        rules->match_digest = call->match_digest;
    params_destroy(params);
    if (text != NULL)
        secret_wipe(text, strlen(text));
    free(text);
    return code;
}

/* Narrows the rules to what a session of the running gate may do. */
static int read_session(struct call *call, json_t *session, const struct surface *surface,
                        const struct route *route, struct vet_rules *rules)
{
    const char *name = "", *state = "unknown";
    int code;

    json_unpack(session, "{s?s, s?s}", "surface", &name, "state", &state);
    if (strcmp(name, surface->name) != 0)
        return args_fail(EX_DATAERR, "session %s is not one of surface %s", call->session,
                         surface->name);
    if (strcmp(state, "unknown") == 0 || strcmp(state, "revoked") == 0 ||
        strcmp(state, "expired") == 0)
        return args_fail(EX_DATAERR, "session %s is no longer good: it is %s; make a new one",
                         call->session, state);
    code = read_list(json_object_get(session, "verbs"), &call->verbs, &rules->session_verbs);
    if (code == EX_OK)
        code =
            read_list(json_object_get(session, "targets"), &call->targets, &rules->session_targets);
    return code == EX_OK ? read_match(call, session, route, rules) : code;
}

/*
 * Reads one line of at most `max` bytes into `line`; *length is what was read,
 * `max` + 1 if there was more. False at the end.
 */
static bool read_line(char *line, size_t max, size_t *length)
{
    int byte = getchar();

    *length = 0;
    if (byte == EOF)
        return false;
    for (; byte != EOF && byte != '\n'; byte = getchar()) {
        if (*length < max)
            line[*length] = (char)byte;
        if (*length <= max)
            ++*length;
    }
    return true;
}

static json_t *text_or_null(const char *text)
{
    return *text != '\0' ? output_string(text) : json_null();
}

static int print_result(const struct vet_result *result)
{
    return output_json(json_pack(
        "{s:s, s:s, s:s*, s:o, s:o}", "verdict", result->action == VET_FORWARD ? "allow" : "deny",
        "reason", reason_info(result->reason)->code, "cause", reason_info(result->reason)->cause,
        "verb", text_or_null(result->verb), "target", text_or_null(result->target)));
}

/* Every line stands for itself, as the first message of a connection. */
static int vet_line(struct vet_scratch *scratch, const struct vet_rules *rules,
                    enum direction direction, struct span line)
{
    struct vet_result result;
    struct vet_state *state;
    int code;

    if (vet_state_create(NULL, quota_surface(0), &state) != OK)
        return args_fail(EX_OSERR, "out of memory");
    vet_message(state, scratch, rules, direction, line.data, line.length, true, &result);
    code = print_result(&result);
    vet_state_destroy(state);
    return code;
}

static int vet_lines(const struct surface *surface, const struct vet_rules *rules,
                     enum direction direction)
{
    const bool asked = direction == DIRECTION_C2S;
    const size_t max = asked ? surface->limits.max_message_bytes : surface->limits.max_answer_bytes;
    struct vet_result too_big = {.action = VET_CLOSE,
                                 .reason = asked ? REASON_MESSAGE_TOO_BIG : REASON_ANSWER_TOO_BIG};
    struct vet_scratch *scratch = NULL;
    char *line = malloc(max);
    size_t length;
    int code = EX_OK;

    if (line == NULL || vet_scratch_create(&scratch) != OK) {
        free(line);
        return args_fail(EX_OSERR, "out of memory");
    }
    while (code == EX_OK && read_line(line, max, &length)) {
        if (length > max)
            code = print_result(&too_big);
        else
            code = vet_line(scratch, rules, direction, (struct span){line, length});
    }
    if (code == EX_OK && ferror(stdin))
        code = args_fail(EX_NOINPUT, "standard input cannot be read");
    vet_scratch_destroy(scratch);
    free(line);
    return code;
}

static int run(struct call *call, enum direction direction)
{
    const struct surface *surface;
    const struct route *route;
    struct config *config = NULL;
    json_t *session = NULL;
    struct vet_rules rules;
    int code = config_file_load(call->gate.config, &config);

    if (code != EX_OK)
        return code;
    surface = config_surface(config, call->surface);
    route = surface != NULL ? find_route(surface, call->route) : NULL;
    if (surface == NULL) {
        code = args_fail(EX_DATAERR, "the configuration has no surface %s", call->surface);
    } else if (route == NULL) {
        code = args_fail(EX_DATAERR, "surface %s has no route %s", call->surface,
                         call->route != NULL ? call->route : "with messages");
    } else if (!has_messages(route)) {
        code = args_fail(EX_DATAERR, "route %s carries plain HTTP, and so no messages to vet",
                         route->path);
    } else {
        rules = vet_rules_of(surface, route->vocabulary);
        if (call->session != NULL)
            code = args_name(call->session, "the id of a session");
        if (call->session != NULL && code == EX_OK)
            code = gate_ask(&call->gate, "GET", NULL, &session, "/v1/sessions/%s", call->session);
        if (session != NULL)
            code = read_session(call, session, surface, route, &rules);
        json_decref(session);
        if (code == EX_OK)
            code = vet_lines(surface, &rules, direction);
    }
    config_destroy(config);
    return code;
}

int cmd_vet(int argc, char **argv)
{
    struct call call = {0};
    const struct args_option options[] = {
        {.name = "--surface", .takes = "SURFACE", .about = "the surface", .value = &call.surface},
        {.name = "--session",
         .takes = "ID",
         .about = "a session of a running Sidelock",
         .value = &call.session},
        {.name = "--direction",
         .takes = "c2s|s2c",
         .about = "from the client to the service, or back",
         .value = &call.direction},
        {.name = "--route",
         .takes = "PATH",
         .about = "the route, by its path",
         .value = &call.route},
        {.name = "--json", .about = "JSON in the place of text", .flag = &call.json},
        GATE_OPTIONS(call.gate),
    };
    enum direction direction = DIRECTION_C2S;
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 0, &args);

    if (code == EX_OK && call.surface == NULL)
        code = args_usage(argv[0], "--surface S is needed");
    if (code == EX_OK)
        code = find_direction(call.direction, &direction);
    if (code == EX_OK)
        code = run(&call, direction);
    text_list_clear(&call.verbs);
    text_list_clear(&call.targets);
    return code;
}
