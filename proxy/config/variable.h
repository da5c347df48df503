/* What "~" and variables stand for in the paths of a configuration. */
#pragma once

#include "base/text.h"

/* Where the variables in paths have their values from. */
struct config_variables {
    char *const *environment; /* NAME=value, ended by NULL; itself NULL: none is set */
    struct text_list *used;   /* each that was named is added, once */
};

/*
 * What a path of a configuration stands for, the caller's to free: "~" at its front is $HOME, $NAME
 * and ${NAME} are variables, $$ is a '$'. XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME and
 * XDG_CACHE_HOME are what the XDG base directory specification says where they are not set.
 * ERROR_INVALID with one sentence, for one that is not set and for other forms; ERROR_MEMORY.
 */
enum error config_expand(const char *text, const struct config_variables *variables, char **out,
                         char why[WHY_SIZE]) MUST_CHECK;
