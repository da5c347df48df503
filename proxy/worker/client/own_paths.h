/* /.sidelock/...: pages for people, bodies for the broker (policy/own_path.h). */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "worker/client/head.h"

/*
 * Goes on with a request whose head is complete: to one of the gate's own
 * paths, its body must be there too, at most OWN_PATH_BODY_BYTES_MAX of it.
 */
enum http_progress own_paths_read(struct head *head, enum reason *reason);
/* The broker's yes to such a request: what the verdict says; "": the page that the path has. */
void own_paths_write(const struct surface *surface, const struct head *head,
                     const struct ipc_verdict *verdict, struct buffer *out);
