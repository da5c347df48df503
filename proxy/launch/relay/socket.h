/* What comes on a link as a WebSocket (RFC 6455): a process of its own, a message a frame. */
#pragma once

#include "launch/relay/session.h"

/* Answers an upgrade request, whose head stands at the beginning of link->in. */
void socket_open(struct link *link, const struct http_request *request);
/* Takes frames out of link->in; false: more is to come, or nothing is any more. */
bool socket_bytes(struct link *link);
