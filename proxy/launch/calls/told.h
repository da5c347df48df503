/*
 * Sockets, as whoever learns what the tree does is told of them (recorder.h). Each returns at once
 * where nobody does.
 */
#pragma once

#include "launch/calls/state.h"
#include "launch/calls/subject.h"

/* It connects to this address of the internet, outside of the tree; or to a Unix socket: a name
 * that is abstract, or a path. */
void told_connect(struct calls *calls, const struct subject *subject, const union address *address);
void told_connect_unix(struct calls *calls, const struct question *question,
                       const union address *address, socklen_t length);
/* It asks for the port of this address, which is not 0. */
void told_bind(struct calls *calls, const struct subject *subject, const union address *address);
/* A path is made for a Unix socket. */
void told_bind_unix(struct calls *calls, const struct question *question,
                    const union address *address, socklen_t length);
/* It listens, on this copy of its socket or on what took its place. */
void told_listen(struct calls *calls, const struct subject *subject, int socket);
