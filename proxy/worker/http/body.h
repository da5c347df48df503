/* The request's body: read from the client, held or streamed to the service. */
#pragma once

#include "worker/http/exchange.h"

/* The client is ready: writes to it, and reads of its request what may be read. */
enum reason body_serve(struct exchange *exchange, int events);
