/*
 * The options of `sidelock add` that become members of a surface as they stand: one table says how
 * each is called, what it takes and where it is written. What is wrong with a value, `check` says.
 */
#pragma once

#include "base/text.h"
#include "cli/terminal/args.h"

#include <stdbool.h>

struct json_t; /* jansson's */

enum additions_of { ADDITIONS_OF_SURFACE, ADDITIONS_OF_UPSTREAM };

/* Where the service is: bits. */
enum additions_service {
    ADDITIONS_SOCKET = 1,
    ADDITIONS_TCP = 2,
    ADDITIONS_COMMAND = 4, /* one that listens */
    ADDITIONS_STDIO = 8    /* with a command, or with none */
};

#define ADDITIONS_MAX 24

/* What was given for each row of the table. */
struct additions {
    const char *values[ADDITIONS_MAX];
    struct text_list lists[ADDITIONS_MAX];
    bool flags[ADDITIONS_MAX];
};

/* Appends the options of the table to `out`, which has room for ADDITIONS_MAX; returns how many. */
size_t additions_options(struct additions *additions, struct args_option *out);
/* Whether each may stand with such a service. EX_OK, or EX_USAGE after saying not. */
int additions_check(const struct additions *additions, enum additions_service service);
/* Writes what was given. EX_OK, EX_USAGE, or EX_DATAERR for what is no UTF-8, after saying so. */
int additions_write(const struct additions *additions, enum additions_of owner,
                    struct json_t *object);
void additions_clear(struct additions *additions);
