/*
 * The way to the real service: connect to its Unix socket and write the
 * WebSocket handshake on it, so that the worker is handed a link on which
 * nothing is left to say and never learns what was said.
 */
#pragma once

#include "broker/admission/link.h"
#include "wire/ws_frame.h"

#define UPSTREAM_HEAD_BYTES_MAX (512 * 1024)

/*
 * A link to the service, to nobody but whom the surface trusts. To one that listens on a socket of
 * its own it is there at once; to one that is launched it is waited for (broker/core/services.h),
 * by upstream_timeout_ms at the latest.
 *
 * What follows is in link.h. Causes of UPSTREAM_UNREACHABLE, UPSTREAM_BUSY (its backlog is full),
 * UPSTREAM_OWNER; of each the operator's log tells once a minute, and of the last the audit log,
 * too.
 */
void upstream_reach(struct question *question, struct reach reach);

/*
 * Writes all, or says that the service does not take it. One that has hung up may have answered
 * before: whoever reads the link finds that, or its end.
 */
enum reason upstream_write(int fd, const struct buffer *bytes);

/*
 * Writes the upgrade request (RFC 6455 section 4.1) for a question that passed
 * its steps, on a path as it is to be sent, and tells what answer it wants.
 */
enum reason upstream_write_upgrade(const struct question *question, const char *path, int fd,
                                   char accept[WS_ACCEPT_SIZE]);

/* Appends {member: the part of the record at `from`}. PARAMS_REQUIRED if there is none. */
enum reason upstream_stored_body(const struct params *params, const char *member, const char *from,
                                 struct buffer *out);
