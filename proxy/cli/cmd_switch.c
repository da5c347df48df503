/*
 * `sidelock kill` and `arm`: the kill switch of one surface or all, by requests to /v1/surfaces
 * and /v1/kill. Called by their rows in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

/* What it is about, to whoever reads. */
static const char *subject(const json_t *answer)
{
    const char *name = json_string_value(json_object_get(answer, "name"));

    return name != NULL ? name : "everything";
}

static const char *plural(json_int_t count)
{
    return count == 1 ? "" : "s";
}

static int print_killed(const json_t *answer)
{
    json_int_t connections = 0, sessions = 0;

    json_unpack((json_t *)answer, "{s?{s?I, s?I}}", "kill", "connections", &connections, "sessions",
                &sessions);
    printf("%s is killed: %" JSON_INTEGER_FORMAT " connection%s cut, %" JSON_INTEGER_FORMAT
           " session%s revoked.\n",
           subject(answer), connections, plural(connections), sessions, plural(sessions));
    return EX_OK;
}

static int print_rehearsed(const json_t *answer)
{
    json_int_t connections = 0, ms = 0;

    json_unpack((json_t *)answer, "{s?{s?I, s?I}}", "rehearsal", "connections", &connections, "ms",
                &ms);
    printf("%s is armed again: %" JSON_INTEGER_FORMAT
           " connection%s cut, the last after %" JSON_INTEGER_FORMAT " ms; nothing was revoked.\n",
           subject(answer), connections, plural(connections), ms);
    return EX_OK;
}

static int kill_it(struct gate *gate, const char *name, bool rehearse)
{
    int (*print)(const json_t *answer) = rehearse ? print_rehearsed : print_killed;
    const char *query = rehearse ? "?rehearse=1" : "";

    if (name == NULL)
        return gate_show(gate, "POST", NULL, print, "/v1/kill%s", query);
    return gate_show(gate, "POST", NULL, print, "/v1/surfaces/%s/kill%s", name, query);
}

static int arm_surface(struct gate *gate, const char *name)
{
    int code = gate_show(gate, "POST", NULL, NULL, "/v1/surfaces/%s/arm", name);

    if (code == EX_OK && !gate->json)
        printf("%s is armed.\n", name);
    return code;
}

/* Goes on after a failure: as much as possible is to be armed. */
static int arm_all(struct gate *gate)
{
    json_t *root = NULL, *surface;
    size_t i;
    int code = gate_ask(gate, "GET", NULL, &root, "/v1/surfaces");

    json_array_foreach(json_object_get(root, "surfaces"), i, surface)
    {
        const char *name = json_string_value(json_object_get(surface, "name"));
        int one = name != NULL ? arm_surface(gate, name) : EX_PROTOCOL;

        if (one != EX_OK)
            code = one;
    }
    json_decref(root);
    return code;
}

/* One surface, or (NULL) all; what is wrong with saying so is said. */
static int find_name(const char *verb, const struct args *args, bool all, const char **out)
{
    if (all == (args->operand_count == 1))
        return args_usage(verb, "name one surface, or --all");
    *out = all ? NULL : args->operands[0];
    return all ? EX_OK : args_name(*out, "the name of a surface");
}

int cmd_kill(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    bool all = false, rehearse = false;
    const struct args_option options[] = {
        {.name = "--all", .about = "all of them", .flag = &all},
        {.name = "--rehearse",
         .about = "cut and measure, and change nothing else",
         .flag = &rehearse},
        GATE_OPTIONS_JSON(gate),
    };
    const char *name = NULL;
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 1, &args);

    if (code == EX_OK)
        code = find_name(argv[0], &args, all, &name);
    return code == EX_OK ? kill_it(&gate, name, rehearse) : code;
}

int cmd_arm(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    bool all = false;
    const struct args_option options[] = {
        {.name = "--all", .about = "all of them", .flag = &all},
        GATE_OPTIONS_JSON(gate),
    };
    const char *name = NULL;
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 1, &args);

    if (code == EX_OK)
        code = find_name(argv[0], &args, all, &name);
    if (code != EX_OK)
        return code;
    if (all && gate.json)
        return args_usage(argv[0], "--json goes with one surface; see `sidelock status --json`");
    return all ? arm_all(&gate) : arm_surface(&gate, name);
}
