/*
 * The first process of a service that speaks MCP over its standard input and output, run once
 * before there is a gate, under the same fences: what cannot start, or may not execute what it
 * needs, is told at once, and not to the first client.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>

#define TRIAL_NAME_SIZE 41 /* with the words before it, a line of 80 columns */

struct trial {
    int input, output; /* our ends of its pipes; -1: closed */
    struct buffer line;
    bool skips; /* the rest of a line that is too long */
    bool answered;
    char name[TRIAL_NAME_SIZE]; /* what it calls itself, its version with it; "": it does not say */
};

/* Asks it already; `standard` are its first two descriptors, the caller's. ERROR_IO with errno. */
enum error trial_open(struct trial *trial, int standard[2]) MUST_CHECK;
/* Reads what there is; false: there is nothing more to hear, and its input ends. */
bool trial_hear(void *context);
void trial_close(struct trial *trial);
