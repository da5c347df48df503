/*
 * The way to the real service: connect to its Unix socket and write the
 * WebSocket handshake on it, so that the worker is handed a link on which
 * nothing is left to say and never learns what was said.
 */
#ifndef SIDELOCK_BROKER_UPSTREAM_H
#define SIDELOCK_BROKER_UPSTREAM_H

#include "base/buffer.h"
#include "base/reason.h"
#include "config/config.h"
#include "ipc/messages.h"
#include "wire/ws_frame.h"

/* Connects without waiting. UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT (its backlog is full). */
enum reason upstream_connect(const struct surface *surface, int *fd);

struct upstream_upgrade {
    const struct route *route;
    const struct ipc_admit *request;
    const char *path;  /* canonical: encoded anew here */
    const char *query; /* encoded; "": none */
    const char *offer; /* subprotocols; "": none */
};

/* Appends the upgrade request (RFC 6455 section 4.1) and tells what answer it wants. */
enum error upstream_upgrade_request(const struct upstream_upgrade *upgrade, struct buffer *out,
                                    char accept[WS_ACCEPT_SIZE]) MUST_CHECK;

/* Writes all or says that the service does not take it. */
enum reason upstream_write(int fd, const struct buffer *bytes);

#endif
