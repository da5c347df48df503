/*
 * Who sits at the operator's terminal while a service is wrapped: passes on what is typed and what
 * the service writes, shows what of the gate's log matters, hears signals, and waits for the end.
 */
#pragma once

#include "cli/wrap/pseudo.h"

#include <sys/types.h>

#define ATTEND_PATIENCE_MS 5000 /* that a service has to end by itself after ^C */
#define ATTEND_END_MS      1000 /* that one has whose input has ended */
#define ATTEND_LINE_SIZE   4096

struct attend_options {
    struct pseudo *pseudo;
    pid_t gate;     /* the child that is waited for */
    int log, ready; /* the ends of pipes that it writes to; taken over */
    /* The gate is ready: its line. */
    void (*is_ready)(void *context, const char *line);
    void *context;
    const char *name; /* of the service, as it stands before what it writes */
    int errors;       /* what it writes to its standard error, the end of a pipe that does not
                         block; -1: it is none of ours; taken over */
    /* What it writes to its standard output, read by `hear` while that returns true; after that it
     * has ATTEND_END_MS to end. -1: that is none of ours; borrowed. */
    int output;
    bool (*hear)(void *hearer);
    void *hearer;
    /* What is told of what it does, read by `learn` while that returns true; -1: nothing is;
     * borrowed. */
    int records;
    bool (*learn)(void *learner);
    void *learner;
};

struct attend_outcome {
    int status;   /* of the gate, as of waitpid(2) */
    bool stopped; /* the operator has ended it */
};

/* Until the gate has ended, which has no other way to be told to end. */
struct attend_outcome attend_run(const struct attend_options *options);
