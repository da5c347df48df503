/*
 * The client's side of a WebSocket, spoken by libwebsockets' server role. It only ever
 * sees clients that were admitted: the handshake it parses is one we wrote, with
 * nothing of the client's in it but the checked Sec-WebSocket-Key.
 */
#pragma once

#include "worker/client/process.h"
#include "worker/websocket/side.h"

/* Libwebsockets, for all of them. */
struct downstreams {
    struct worker *worker;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct downstream *adopting; /* whose descriptor is just being taken over */
    struct downstream *doomed;   /* to be aborted */
};

/* Embedded by its owner; all zero before downstream_adopt. */
struct downstream {
    struct downstreams *all;
    const struct side_events *events;
    struct websocket *owner;
    struct lws *wsi;         /* NULL: there is none (any more) */
    struct downstream *next; /* of the doomed */
    struct assembly message; /* one that does not lie in one piece */
    size_t max_message_bytes;
    uint64_t message_clock_ms; /* paid by it (base/pace.h) */
    uint64_t blocked_since_ms;
    size_t blocked_bytes; /* at most so many */
    bool binary;          /* that message */
    bool blocked;         /* libwebsockets holds bytes the client does not take */
    bool paused;          /* its receive flow control is off */
    bool close_sent;      /* ours went to the client */
    bool close_received;  /* its came: nothing after it counts */
    bool is_doomed;
};

enum error downstream_start(struct downstreams *all, struct worker *worker) MUST_CHECK;
/* Closes every client; turns the loop until all its handles have closed. */
void downstream_stop(struct downstreams *all);
/* Aborts what is to be: when no callback of libwebsockets is on the stack. */
void downstream_abort_doomed(struct downstreams *all);

/* Hands the client's socket, which is taken over, to libwebsockets, which answers the 101. */
enum error downstream_adopt(struct downstream *downstream, int fd, const char *key,
                            const char *subprotocol) MUST_CHECK;
/* Sends a message or ping; ASSEMBLY_HEADROOM before it is overwritten. Not while blocked. */
enum error downstream_send(struct downstream *downstream, enum ws_opcode opcode,
                           unsigned char *payload, size_t length) MUST_CHECK;
void downstream_pause(struct downstream *downstream, bool pause);
/* Sends a close frame, at once or never: a client that takes no bytes is aborted. */
void downstream_close(struct downstream *downstream, unsigned code, const char *text,
                      size_t text_length);
/* Ends without another word, soon. */
void downstream_abort(struct downstream *downstream);
