/* What the broker is asked, and what it is told for the audit log. */
#ifndef SIDELOCK_WORKER_CLIENT_TO_BROKER_H
#define SIDELOCK_WORKER_CLIENT_TO_BROKER_H

#include "worker/client/connection.h"
#include "worker/client/head.h"

/* Questions; VERDICT and LINK answer them. */
void ask_admission(struct connection *connection, const struct ipc_admit *admit);
void ask_link(struct connection *connection, const struct ipc_dial *dial);

void tell_ready(struct worker *worker);
/* `query` NULL: there was none, or the request was not understood so far. */
void tell_denied(struct connection *connection, const struct asker *asker, enum reason reason,
                 const char *query);
void tell_refused(struct connection *connection, enum direction direction,
                  const struct vet_result *result);
void tell_closed(struct connection *connection);
void tell_counts(struct worker *worker);

#endif
