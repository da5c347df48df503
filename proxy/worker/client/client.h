/*
 * The client's side as long as HTTP is spoken: the heads of its requests, the question
 * to the broker, the answers of the gate's own. It lives until a WebSocket's 101, or as
 * long as the connection.
 */
#pragma once

#include "base/buffer.h"
#include "worker/client/connection.h"
#include "worker/client/endpoint.h"
#include "worker/client/head.h"

#define KEEP_ALIVE_TIMEOUT_MS 75000

struct client {
    struct endpoint endpoint;
    struct connection *connection; /* NULL: it ended */
    struct head *head;             /* NULL: nothing has come, or it is needed no more */
    struct asker asker;
    char *path, *raw_path; /* the asker's, once the head is gone; owned */
    char *seen;            /* what a denial shows; owned; NULL: nothing */
    uint64_t asked_ms;
    uint64_t lingers_since_ms; /* of the last answer */
    size_t lingered_bytes;     /* taken and thrown away after it */
};

/* What a connection does that was granted nothing yet: a request is put to the broker. */
extern const struct connection_mode client_mode;

/* Takes over a descriptor, also on failure. */
enum error client_start(struct connection *connection, int fd) MUST_CHECK;
/* Puts the request to the broker, or refuses it here. */
void client_ask(struct connection *connection);
/* What of the service's answer is wrong, for the denial that follows. */
void client_saw(struct client *client, struct span seen);
/* Tells the broker of a denial that it does not know of. */
void client_tell_denied(const struct connection *connection, enum reason reason);
/* Answers with a denial, which is the end. CLIENT_CLOSED: nobody is there to be told. */
void client_deny(struct connection *connection, enum reason reason);
/* Writes the last answer, or what is left of one, and ends the connection. */
void client_goodbye(struct connection *connection, const struct buffer *answer);
/* Reads the next request, of which a part may be there. */
void client_next(struct connection *connection);
/* Nothing of the head is needed any more but what a denial's form depends on. */
void client_forget_head(struct client *client);
/* Since when a request, or the rest of its head, is waited for. */
uint64_t client_head_since(const struct connection *connection);
/* Between requests, and at the end. */
uint64_t client_tick(struct connection *connection, uint64_t now_ms, int64_t now_s);
void client_drop(struct connection *connection, enum reason reason);
/* Lets go of it and closes the descriptor, unless that was given away. */
void client_end(struct connection *connection);
