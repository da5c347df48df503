/*
 * The service's side of a WebSocket: our own client on the link that the broker
 * connected and already wrote the handshake to. It masks, it checks, it bounds.
 */
#pragma once

#include "wire/ws_reader.h"
#include "worker/client/endpoint.h"
#include "worker/client/process.h"
#include "worker/websocket/side.h"

/* Embedded by its owner. */
struct service {
    struct endpoint link; /* first */
    struct worker *worker;
    const struct side_events *events;
    struct websocket *owner;
    struct ws_reader reader;
    uint64_t message_since_ms; /* when a message began whose end has not come; 0: none */
    unsigned char *stash;      /* read, but not to be handed out yet; owned */
    size_t stash_length;
    bool upgraded; /* frames are spoken */
    bool held;     /* set by the owner: nothing is handed out for now */
    bool close_sent, close_received;
};

/* Takes over the descriptor, also on failure. worker, events and owner are set. */
enum error service_open(struct service *service, int fd, size_t max_message_bytes) MUST_CHECK;
/* Frames, masks and sends, or queues what the socket does not take. */
void service_send(struct service *service, enum ws_opcode opcode, const unsigned char *payload,
                  size_t length);
/* The last frame: only the service's own close frame counts from here on. */
void service_send_close(struct service *service, unsigned code, const char *text,
                        size_t text_length);
/* Feeds bytes that came after the service's response head. */
void service_receive(struct service *service, unsigned char *bytes, size_t length);
/* Goes on with what was read while it was held. */
void service_resume(struct service *service);
void service_close(struct service *service);
/* Frees what it holds of messages; the link is closed. */
/* Of a message that is not whole: what has come. */
void service_forget_message(struct service *service);
void service_clear(struct service *service);

static inline bool service_is_open(const struct service *service)
{
    return service->link.fd >= 0;
}
