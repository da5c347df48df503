/*
 * A worker's word, judged again by the very functions with which an honest worker reads
 * what a client sent and writes what a service is told. What they would not have let
 * pass, none of our workers says: false is a broken worker, never a bad request.
 */
#pragma once

#include "config/config.h"
#include "ipc/messages.h"

/* A question's texts: each of the form in which a request's head is read. */
bool word_is_request(const struct ipc_admit *admit);
bool word_is_dial(const struct ipc_dial *dial);

/* Of the form of a session's id; whether there is such a session is another question. */
bool word_is_session(const char *id);

/*
 * Whether header lines are just what http_forward_request() makes of them on this route:
 * nothing in them ends a line or the head, frames a body, names another host, or is one
 * connection's alone.
 */
bool word_is_fields(const struct route *route, const char *host, const char *fields);
