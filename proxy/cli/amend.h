/*
 * The configuration, changed by a command: a surface more or less, checked as `sidelock check` does
 * before it is saved.
 */
#pragma once

#include <stdbool.h>

struct json_t; /* jansson's */

struct amendment {
    const char *config;         /* -c FILE, or NULL */
    const char *surface;        /* its name, a good one */
    const struct json_t *value; /* NULL: it is taken away */
    const char *note;           /* a sentence about it once it is there, or NULL */
    bool elsewhere;             /* this host is not looked at */
};

/*
 * Changes it, and says so and what is next; or says on stderr why not, and nothing is changed. 65:
 * there is such a surface, or none; 75: the file is being changed by somebody else; 77; 78: it
 * would have a fault.
 */
int amend(const struct amendment *amendment);
