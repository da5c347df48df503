/*
 * The end of a WebSocket that was up (RFC 6455 section 7.1): who is told what, in which order,
 * and how long each is waited for.
 */
#pragma once

#include "worker/websocket/both.h"

/* Why it ends, and what is said: the gate's own words, or those of who closed first. */
struct goodbye {
    enum reason reason;
    unsigned code;
    struct span text;
};

/* In the gate's own words. */
struct goodbye goodbye_for(enum reason reason);
/* To both sides at once; then a little is waited for them. */
void goodbye_both(struct websocket *websocket, const struct goodbye *goodbye);
/* To the client alone, which is not read any more; the rest of it waits for goodbye_rest(). */
void goodbye_part(struct websocket *websocket, const struct goodbye *goodbye);
void goodbye_rest(struct websocket *websocket, const struct goodbye *goodbye);
/*
 * The client has said its last, goodbye or nonsense. What it said before was good: the service
 * is told, and what it has to say to it goes to the client until it has said goodbye, too.
 */
void goodbye_of_client(struct websocket *websocket, const struct goodbye *goodbye);
/* It has, or there was time enough. */
void goodbye_after_last_words(struct websocket *websocket);
