/* What a request's head asks for: what the broker is asked, or what a grant may cover. */
#ifndef SIDELOCK_WORKER_CLIENT_ASKED_H
#define SIDELOCK_WORKER_CLIENT_ASKED_H

#include "worker/client/connection.h"
#include "worker/client/head.h"

/* Reads a head that is complete, and its path decoded, into head->asked; once a request. */
enum reason asked_read(const struct connection *connection, struct head *head,
                       const struct asker *asker);

#endif
