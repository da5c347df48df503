/* What the operator of `sidelock wrap` is told once its gate is ready: where it is, how to come in.
 */
#pragma once

#include <stdbool.h>

struct welcome {
    const char *surface, *control; /* its name; the control socket's path */
    const char *dialect;           /* that was asked for; NULL: it is guessed */
    char *const *command;          /* ends with NULL */
    bool stdio;                    /* it speaks MCP over its standard input and output */
    int ready_fd;                  /* where the gate's line goes on to; -1: nobody asked */
};

/* `line` is what the gate says when it is ready; on standard error. */
void welcome_say(const struct welcome *welcome, const char *line);
