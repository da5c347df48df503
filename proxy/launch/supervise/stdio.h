/*
 * The processes of a stdio service: for each session of the gate a relay (launch/relay/), and for
 * each MCP session of it a process, each in a tree of its own. What runs is the surface's command,
 * or that of the session's parameter record once "executables" has permitted it here, too, whatever
 * the broker says. Everything happens in callbacks of the loop.
 */
#pragma once

#include "launch/supervise/life.h"
#include "policy/quota.h"

#define STDIO_SESSION_SIZE 33 /* hex, with NUL */

struct stdio;

/* What all of them share; borrowed. */
struct stdios {
    struct lives *lives;                                     /* loop, launcher, bundle; `lost` */
    void (*say)(void *context, const struct errand *errand); /* to the broker */
    /* After stdio_end(): nothing is left at all. It is freed when this returns. */
    void (*gone)(void *context, uint32_t slot);
    void *context;
};

/* ERROR_MEMORY. */
enum error stdio_begin(struct stdios *stdios, uint32_t slot, const char *name,
                       struct stdio **out) MUST_CHECK;
/* Who comes; borrowed. */
struct visitor {
    const char *session;
    int record;      /* the session's parameter record, sealed; -1: none */
    uint32_t number; /* of the visit: LEFT is told with it */
};

/* A connection for a session: `done` is called in this call, with a socket that is its own, or with
 * -1 and an errno. */
void stdio_visit(struct stdio *stdio, const struct visitor *visitor, dial_done *done, void *data);
/* The session has ended: all of it, at once. */
void stdio_leave(struct stdio *stdio, const char *session);
/* All of it: their inputs end, and after so long (0: at once) so do they. Then `gone`. */
void stdio_end(struct stdio *stdio, uint32_t patience_ms);
/* Its trees are forgotten already (launcher_destroy); nothing is told any more. */
void stdio_drop(struct stdio *stdio);
