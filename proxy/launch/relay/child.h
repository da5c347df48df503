/*
 * A process that speaks MCP over its standard input and output, one message a line: bytes to lines
 * and back. Who it is for is its owner's business (session.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "connect/message/lines.h"

#include <uv.h>

#define CHILD_ROOM_BYTES                                                                           \
    (1024 * 1024) /* that wait for one that does not read, beside a message                        \
                   */

struct child;

/* Called from the loop; the last is `dry`, unless the child is destroyed before. */
struct child_events {
    /* A line, without its end; valid and writable during the call. */
    void (*line)(void *data, struct span line);
    void (*too_long)(void *data); /* one that was, in its place */
    void (*dry)(void *data);      /* no more lines come */
};

struct child_limits {
    size_t max_line_bytes; /* of its own */
    size_t max_wait_bytes; /* of ours that it has not read */
};

/* Without descriptors yet: what is said to it waits. NULL without memory. */
struct child *child_create(uv_loop_t *loop, const struct child_limits *limits,
                           const struct child_events *events, void *data);
/* It runs: the other ends of its pipes, taken over. */
enum error child_begin(struct child *child, int input, int output) MUST_CHECK;
/* A message, which becomes a line. ERROR_LIMIT: it does not read what it was told before,
 * or has closed its input. */
enum error child_say(struct child *child, struct span message) MUST_CHECK;
/* Its lines are not read for a while. */
void child_pause(struct child *child, bool pause);
/* Nothing more is said to it: the end of its input follows what it was told. */
void child_finish(struct child *child);
/* No callback comes any more; the loop frees it. Takes NULL. */
void child_destroy(struct child *child);
