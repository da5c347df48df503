/*
 * A connection of the gate's: bytes in and out, and what is known of the one request that it
 * carries at a time. Embedded in nothing: it lives until link_close(), and the loop frees it.
 */
#pragma once

#include "base/buffer.h"
#include "connect/message/rpc.h"
#include "wire/http_body.h"
#include "wire/ws_reader.h"

#include <uv.h>

#define LINK_FULL_BYTES (512 * 1024) /* with so much that is not taken, no more is read for it */

struct link;
struct session;

/* Called from the loop. Each may close the link. */
struct link_events {
    void (*bytes)(struct link *link);   /* link->in has more */
    void (*gone)(struct link *link);    /* the other end has gone: to be closed */
    void (*drained)(struct link *link); /* nothing waits to be taken any more */
};

/* What it waits for. */
enum link_wait {
    LINK_IDLE = 0, /* a request, or the rest of one */
    LINK_FIRST,  /* the first message in answer to its request, which decides how it is answered */
    LINK_STREAM, /* more of them: the answer is a stream of events */
    LINK_LISTENING, /* what the process says by itself, asked for with GET */
    LINK_DELETING,  /* the end of the process */
    LINK_SOCKET,    /* it is a WebSocket */
    LINK_OVER,      /* nothing: it is closed once all is taken */
};

struct link {
    struct link *neighbour; /* of the session's */
    void *house;            /* whose it is */
    const struct link_events *events;
    uv_poll_t poll;
    int fd; /* -1: closed */
    enum link_wait wait;
    struct buffer in, out;
    /* The request. */
    struct http_body framing;
    struct buffer head, body;
    bool receiving; /* its head was read, its body not */
    struct session *session;
    bool modern;                             /* its era */
    bool opens;                              /* it is the session's `initialize` */
    char key[RPC_ID_KEY_SIZE];               /* of its id, as the process has it; "": none */
    char id[RPC_ID_BYTES_MAX + 1];           /* as the client wrote it */
    char version[RPC_VERSION_BYTES_MAX + 1]; /* of the modern era, in which it asks */
    char token_key[RPC_ID_KEY_SIZE];         /* of its progressToken, likewise; "": none */
    char token[RPC_ID_BYTES_MAX + 1];        /* as the client wrote it */
    uint64_t since_ms;                       /* when its request was whole */
    struct ws_reader reader;                 /* of LINK_SOCKET */
};

/* Takes the descriptor over, on failure too. */
enum error link_open(uv_loop_t *loop, int fd, const struct link_events *events, void *house,
                     size_t max_body_bytes, size_t max_out_bytes, struct link **out) MUST_CHECK;
/* What was put into link->out is on its way. One that took too much, or nothing, is closed later:
 * `gone`. */
void link_send(struct link *link);
/* Whether more is waiting than is good. */
bool link_is_full(const struct link *link);
/* Forgets the request: the next one may come. */
void link_rest(struct link *link);
/* At once; what it has not taken is lost. The caller has let go of it. */
void link_close(struct link *link);
