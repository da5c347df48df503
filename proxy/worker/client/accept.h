/* The listeners: who is calling, with what certificate; a connection is born, in the lobby. */
#pragma once

#include "system/caller.h"
#include "worker/client/connection.h"

struct ssl_ctx_st; /* OpenSSL's (tls_context.h) */

struct accept {
    struct worker *worker;
    struct caller_lookup *callers;
    struct door *doors;                            /* the listeners */
    struct ssl_ctx_st *contexts[CONFIG_SLOTS_MAX]; /* owned; NULL: none yet, or no TLS */
    size_t connection_max;                         /* granted something or not */
    uv_timer_t yield;                              /* runs while others are let go first */
    bool yields;                                   /* there is that timer */
    bool complete;                                 /* see accept_complete() */
    bool open;
    bool starved; /* nothing to take a connection with, until the next tick */
};

/* What it looks callers up with, and TLS, which a surface may speak later; before the sandbox
 * closes. */
enum error accept_prepare(struct accept *accept) MUST_CHECK;
/* Whether the broker has sent everything that the surfaces needed which the process began with. */
bool accept_complete(struct accept *accept);
/* For the connections that come from now on. */
enum error accept_install(struct accept *accept, const struct ipc_tls *tls) MUST_CHECK;
/*
 * One more listener, shut while the others are; its descriptor is taken over, but not on failure.
 * A surface that came later and speaks TLS has its certificate by then, or ERROR_SYNTAX.
 */
enum error accept_add(struct accept *accept, int fd, uint32_t surface) MUST_CHECK;
/* Lets clients in, or not for now; nobody while the worker drains or lacks a certificate. */
void accept_open(struct accept *accept, bool open);
/* Whether another worker that serves the surface holds fewer, as the broker says. */
void accept_yield(struct accept *accept, uint32_t surface, bool crowded);
/* Lets clients in again, once there is room: when a connection has ended, and every tick. */
void accept_go_on(struct accept *accept);
void accept_tick(struct accept *accept);
/* Closes those of one surface. */
void accept_leave(struct accept *accept, uint32_t surface);
/* Forgets them, once nobody is there any more who came in by them. */
void accept_vacate(struct accept *accept, uint32_t surface);
/* Closes the listeners. */
void accept_stop(struct accept *accept);
/* Once the loop has ended, and with it the connections, which know where they came in. */
void accept_release(struct accept *accept);
