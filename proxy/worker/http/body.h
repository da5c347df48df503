/* The request's body: read from the client, held or streamed to the service. */
#ifndef SIDELOCK_WORKER_HTTP_BODY_H
#define SIDELOCK_WORKER_HTTP_BODY_H

#include "worker/http/exchange.h"

/* The client is ready: writes to it, and reads of its request what may be read. */
enum reason body_serve(struct exchange *exchange, int events);

#endif
