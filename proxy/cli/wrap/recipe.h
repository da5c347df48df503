/*
 * The configuration that a gate for one command is given, and what is guessed of the command: only
 * what it says of itself, by its name and options.
 */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recipe {
    const char *surface, *state_dir, *control_socket; /* its name; two paths */
    const char *dialect;                              /* NULL: guessed */
    char *const *command;                             /* ends with NULL */
    const char *directory, *environment_file;         /* the second may be NULL: none */
    const struct text_list *executables;              /* what it may start beside itself */
    const struct text_list *libraries;                /* where code of its own lies */
    const struct text_list *ports, *networks; /* where it may connect to, and not; NULL as empty */
    const struct text_list *writable; /* NULL as an empty one; counts only if writes are limited */
    uint16_t port;                    /* that was asked for of the command; 0: none */
    bool stdio; /* it speaks over its standard input and output, and has no port */
    bool write_limited;
    bool anything; /* it may execute whatever it wants, and `executables` and `libraries` do not
                      count */
    const struct text_list
        *variables; /* "NAME=VALUE" of its environment, in plain sight; NULL: none */
};

/* "NAME": the base name of the command, as far as it can be a surface's; else "service". */
#define RECIPE_NAME_SIZE 33
void recipe_name(const char *command, char out[RECIPE_NAME_SIZE]);

/* The dialect that the command certainly speaks on this port; NULL: nobody can say. */
const char *recipe_guess(char *const *command, uint16_t port);

/* The routes of a service that nobody knows: every path, and whatever is said on it. */
struct json_t *recipe_routes(void);

/* Its "upstream" alone, as JSON; as below. */
char *recipe_upstream(const struct recipe *recipe);

/*
 * As JSON, for a gate on `port` (0: it is not known yet); the caller's. NULL where a
 * word of the command or the directory is no UTF-8, and without memory.
 */
char *recipe_write(const struct recipe *recipe, uint16_t port);
