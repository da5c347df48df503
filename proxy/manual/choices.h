/* What may stand where on a command line, for whoever writes a shell's completions. */
#pragma once

#include "cli/cmd.h"
#include "cli/terminal/args.h"

#include <stdbool.h>

enum choice {
    CHOICE_ANYTHING = 0,
    CHOICE_FILE,
    CHOICE_FOLDER,
    CHOICE_SURFACE, /* the name of a surface of the configuration */
    CHOICE_WORDS,   /* one of those that are named: "md|json" */
};

/* What an option takes; not of flags. */
enum choice choice_of(const struct args_option *option);
/* Whether an action (NULL: a verb without any) takes an option. */
bool choice_takes(const struct args_action *action, const struct args_option *option);
/* What stands first behind a verb and its action; NULL: it has none. */
enum choice choice_first(const struct verb *verb, const char *action);
/* Whether a command of the user's follows behind `--`. */
bool choice_of_command(const struct verb *verb);
