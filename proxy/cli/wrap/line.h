/*
 * The command line of `sidelock wrap`: what stands before `--` is ours, what follows is the
 * command.
 */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct line {
    const char *dialect, *surface; /* as given; NULL: not */
    struct text_list variables, executables, libraries, writable, ports, networks;
    char *const *command; /* ends with NULL */
    int ready_fd;         /* -1: nobody asked */
    uint16_t port;        /* 0: none */
    bool stdio;
    bool learn;         /* what it needs is found out */
    const char *policy; /* the file in which that is written; NULL: none */
    bool write_limited; /* nothing may be written but `writable` */
};

/* EX_OK, or EX_USAGE or EX_DATAERR after saying what is wrong. Cleared in any case. */
int line_parse(int argc, char **argv, struct line *out);
void line_clear(struct line *line);
