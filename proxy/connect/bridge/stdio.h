/*
 * Standard input, line by line, and standard output. Both are watched, never waited for;
 * the modes that they had are restored.
 */
#pragma once

#include "connect/bridge/output.h"
#include "connect/message/lines.h"

#include <uv.h>

struct stdio;

/* One end of it. */
struct stdio_end {
    struct stdio *stdio; /* NULL: not started */
    void (*act)(struct stdio *stdio);
    uv_poll_t poll;
    uv_idle_t idle; /* for a file, which is always ready and cannot be polled */
    int fd, events;
    int flags; /* what it had before */
    bool polled, watching;
};

/* Called from the loop, but for `ended`, which stdio_write may call too. */
struct stdio_user {
    void *context;
    void (*line)(void *context, struct span line);
    void (*too_long)(void *context);           /* a line was, and is lost */
    void (*ended)(void *context, bool broken); /* the input; broken: nobody reads the output */
    void (*taken)(void *context);              /* some of the output has gone */
};

/* Embedded by its user, who calls stdio_stop, and clears it when its loop has closed all handles.
 */
struct stdio {
    struct stdio_user user;
    struct stdio_end in, out;
    struct lines lines;
    struct output output;
    bool ended, broken, paused;
};

enum error stdio_start(struct stdio *stdio, uv_loop_t *loop, size_t max_line_bytes,
                       const struct stdio_user *user) MUST_CHECK;
void stdio_write(struct stdio *stdio, struct span line);
/* Bytes that the client has not taken. */
size_t stdio_unwritten(const struct stdio *stdio);
void stdio_pause_input(struct stdio *stdio, bool pause);
/* Writes what the output takes at the end, waiting for at most `wait_ms`; restores the modes. */
void stdio_stop(struct stdio *stdio, int wait_ms);
