/*
 * A service that asks for what it may not is told so: on a stream of events it
 * waits for a POST with the answer, which here is the gate's own. Its link is
 * used for nothing else.
 */
#pragma once

#include "worker/http/exchange.h"

struct reply {
    const char *target;  /* where it goes; NULL: where the exchange's own request went */
    const char *headers; /* lines that are the caller's */
    struct span text;    /* JSON */
};

/* Asks for a link for it, if none is asked for yet; what is too long is not said. */
void reply_send(struct exchange *exchange, const struct reply *reply);
/* The link for that; taken over. */
void reply_linked(struct exchange *exchange, enum reason reason, int fd);
