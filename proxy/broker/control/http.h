/*
 * The HTTP side of the control socket, on the gate's loop: the same strict
 * reader as for clients' requests (wire/http_head.h) takes one request from each
 * descriptor, routes.h answers it, and the connection closes.
 */
#pragma once

#include "broker/operations/operation.h"

#define CONTROL_CONNECTIONS_MAX 32
#define CONTROL_TIMEOUT_S       10 /* for a request to arrive */

/* All zero but for the gate is empty. */
struct control_http {
    struct gate *gate;
    struct call *calls; /* one a connection */
    size_t count;
};

/* Closes every connection; they have gone once the loop turned and the count is 0. */
void control_http_close(struct control_http *http);

/*
 * Takes a connected, non-blocking descriptor of operator `uid` over. False if
 * there are too many already: the descriptor stays the caller's then.
 */
bool control_http_serve(struct control_http *http, int fd, uint32_t uid);
/* Answers before the request was read, and closes; the client may see its own writing fail first.
 */
void control_http_turn_away(int fd, unsigned status, const char *detail);
