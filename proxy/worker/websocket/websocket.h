/*
 * A connection that speaks WebSocket (RFC 6455), from the broker's yes on:
 *
 *   upgrade.c    the service's 101, then the client's
 *   side.c       one side's frames: the client's, and the service's on the link the broker gave
 *   overdue.c    how long either is waited for
 *   coming.c     a long answer, before it is whole
 *   websocket.c  its life as a connection's mode; whole messages: vet, forward or refuse; flow
 */
#pragma once

#include "worker/client/connection.h"

/* The broker's yes: takes over the link's descriptor and waits for the service's 101. */
void websocket_begin(struct connection *connection, const struct ipc_verdict *verdict, int fd);
