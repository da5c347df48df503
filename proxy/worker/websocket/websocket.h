/*
 * A connection that speaks WebSocket (RFC 6455), from the broker's yes on:
 *
 *   upgrade.c     the service's 101, then the client's
 *   downstream.c  the client's WebSocket (libwebsockets)
 *   service.c     the service's: frames on the link the broker gave
 *   websocket.c   its life as a connection's mode; whole messages: vet, forward or refuse; flow
 * control
 */
#pragma once

#include "worker/client/connection.h"
#include "worker/websocket/downstream.h"

/* The broker's yes: takes over the link's descriptor and waits for the service's 101. */
void websocket_begin(struct downstreams *downstreams, struct connection *connection,
                     const struct ipc_verdict *verdict, int fd);
