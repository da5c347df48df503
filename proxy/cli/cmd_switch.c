/*
 * `sidelock kill` and `arm`: the kill switch of one surface or all, by requests to /v1/surfaces.
 * Called by their rows in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

static int switch_surface(struct gate *gate, const char *name, const char *action)
{
    int code = args_name(name, "the name of a surface");

    if (code == EX_OK)
        code = gate_show(gate, "POST", NULL, NULL, "/v1/surfaces/%s/%s", name, action);
    if (code == EX_OK && !gate->json)
        printf("%s is %s.\n", name, action[0] == 'k' ? "killed" : "armed");
    return code;
}

/* Goes on after a failure: as much as possible is to be switched. */
static int switch_all(struct gate *gate, const char *action)
{
    json_t *root = NULL, *surface;
    size_t i;
    int code = gate_ask(gate, "GET", NULL, &root, "/v1/surfaces");

    json_array_foreach(json_object_get(root, "surfaces"), i, surface)
    {
        const char *name = json_string_value(json_object_get(surface, "name"));
        int one = name != NULL ? switch_surface(gate, name, action) : EX_PROTOCOL;

        if (one != EX_OK)
            code = one;
    }
    json_decref(root);
    return code;
}

int cmd_switch(int argc, char **argv)
{
    struct gate gate = {.control = NULL};
    bool all = false;
    const struct args_option options[] = {
        {.name = "--all", .flag = &all},
        GATE_OPTIONS_JSON(gate),
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 0, 1, &args);

    if (code != EX_OK)
        return code;
    if (all == (args.operand_count == 1))
        return args_usage(argv[0], "name one surface, or --all");
    if (all && gate.json)
        return args_usage(argv[0], "--json goes with one surface; see `sidelock status --json`");
    return all ? switch_all(&gate, argv[0]) : switch_surface(&gate, args.operands[0], argv[0]);
}
