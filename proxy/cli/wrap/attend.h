/*
 * Who sits at the operator's terminal while a service is wrapped: passes on what is typed and what
 * the service writes, shows what of the gate's log matters, hears signals, and waits for the end.
 */
#pragma once

#include "cli/wrap/pseudo.h"

#include <sys/types.h>

#define ATTEND_PATIENCE_MS 5000 /* that a service has to end by itself after ^C */
#define ATTEND_LINE_SIZE   4096

struct attend_options {
    struct pseudo *pseudo;
    pid_t gate;     /* the child that is waited for */
    int log, ready; /* the ends of pipes that it writes to; taken over */
    /* The gate is ready: its line. */
    void (*is_ready)(void *context, const char *line);
    void *context;
};

/* Until the gate has ended, which has no other way to be told to end: its wait status. */
int attend_run(const struct attend_options *options);
