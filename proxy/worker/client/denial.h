/* What a client is told that is not let in: a problem document, or a page for people. */
#ifndef SIDELOCK_WORKER_CLIENT_DENIAL_H
#define SIDELOCK_WORKER_CLIENT_DENIAL_H

#include "base/buffer.h"
#include "config/config.h"
#include "worker/client/head.h"

/* `head` NULL: it is gone. */
void denial_write(const struct surface *surface, const struct asker *asker, const struct head *head,
                  enum reason reason, struct buffer *out);

#endif
