/*
 * `sidelock rm`: takes a surface out of the configuration, as a person would. Called by its row in
 * verbs.c.
 */
#include "cli/amend.h"
#include "cli/cmd.h"
#include "cli/terminal/args.h"

#include <sysexits.h>

int cmd_rm(int argc, char **argv)
{
    struct amendment amendment = {.config = NULL};
    const struct args_option options[] = {
        {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &amendment.config},
    };
    struct args args;
    int code = args_parse(argc, argv, ARGS_TABLE(options), 1, 1, &args);

    if (code == EX_OK)
        code = args_name(args.operands[0], "the name of a surface");
    if (code != EX_OK)
        return code;
    amendment.surface = args.operands[0];
    return amend(&amendment);
}
