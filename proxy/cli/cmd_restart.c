/*
 * `sidelock restart`: has the service of a surface with a command ended and started again, by a
 * request to /v1/surfaces/NAME/restart. Called by its row in verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#define DEADLINE_S 60 /* longer than the gate waits for a service */

static int print_restarted(const json_t *answer)
{
    const char *name = "-";
    json_int_t pid = 0;

    json_unpack((json_t *)answer, "{s?s, s?{s?I}}", "name", &name, "service", "pid", &pid);
    printf("%s is served by a new process, pid %" JSON_INTEGER_FORMAT ".\n", name, pid);
    return EX_OK;
}

int cmd_restart(int argc, char **argv)
{
    struct gate gate = {.deadline_s = DEADLINE_S};
    const struct args_option options[] = {GATE_OPTIONS_JSON(gate)};
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 1, 1, &args);

    if (code == EX_OK)
        code = args_name(args.operands[0], "the name of a surface");
    if (code != EX_OK)
        return code;
    return gate_show(&gate, "POST", NULL, print_restarted, "/v1/surfaces/%s/restart",
                     args.operands[0]);
}
