/*
 * A connection that speaks HTTP under a grant, as a connection's mode:
 *
 *   cover.c     what a grant rests on, and which further requests it covers
 *   request.c   the request: judged, its head composed anew
 *   gate.h      who looks into what is carried; content.c: the gates that the route alone needs
 *   body.c      the body of the request, held or streamed
 *   pool.c      links to the services
 *   answer.c    the answer: its head composed anew, its body streamed or held
 *   reply.c     what the gate itself tells the service
 *   exchange.c  what all these share; http.c: what follows on what
 */
#pragma once

#include "worker/client/connection.h"

struct http; /* exchange.h */

/* The broker's yes to an HTTP request: remembers what it rests on, and begins. */
void http_begin(struct http *http, struct connection *connection,
                const struct ipc_verdict *verdict);
