/*
 * One end of an established WebSocket (RFC 6455) on a blocking socket, for the
 * example programs: whole text messages in, whole text messages out. It stands
 * on the gate's own client codec; a server's frames differ only in the mask.
 * Pings are answered, and the peer's Close is echoed. What a message says is
 * not looked into, not even whether it is UTF-8.
 */
#ifndef SIDELOCK_EXAMPLE_WS_PEER_H
#define SIDELOCK_EXAMPLE_WS_PEER_H

#include "base/buffer.h"
#include "base/text.h"
#include "wire/ws_frame.h"

#define WS_PEER_MESSAGE_BYTES_MAX (1024 * 1024)
#define WS_PEER_NO_CODE           1005 /* a Close frame without a code (section 7.1.5) */

struct ws_peer {
    int fd;                /* borrowed */
    bool is_server;        /* demands masks and sends none */
    struct buffer input;   /* received and not yet taken */
    struct buffer message; /* the text, after WS_PEER_MESSAGE */
    bool in_message;       /* between two fragments */
    bool message_taken;    /* `message` was handed out */
    bool close_sent;
    unsigned close_code; /* the peer's, after WS_PEER_CLOSED */
    char close_reason[WS_CONTROL_PAYLOAD_MAX + 1];
};

enum ws_peer_event {
    WS_PEER_FAULT = 0, /* the connection broke, or its protocol */
    WS_PEER_MORE,      /* nothing whole yet: receive more */
    WS_PEER_MESSAGE,
    WS_PEER_CLOSED, /* the peer's Close arrived, and ours is sent */
};

void ws_peer_init(struct ws_peer *peer, int fd, bool is_server);
void ws_peer_clear(struct ws_peer *peer);

/* Waits for bytes and appends them to `buffer`. ERROR_IO: end, error or time-out; ERROR_LIMIT. */
enum error ws_peer_read(int fd, struct buffer *buffer) MUST_CHECK;
/* Sends all of it. ERROR_IO. */
enum error ws_peer_write(int fd, const void *bytes, size_t length) MUST_CHECK;
/* Forgets the first `length` bytes of a buffer. */
void ws_peer_consume(struct buffer *buffer, size_t length);

/* Takes the next event out of `input`, without waiting. */
enum ws_peer_event ws_peer_next(struct ws_peer *peer);

/* Sends one text message. ERROR_IO, ERROR_MEMORY, ERROR_CRYPTO. */
enum error ws_peer_send(struct ws_peer *peer, struct span text) MUST_CHECK;
/* Sends a Close with this code, unless one was sent. */
enum error ws_peer_close(struct ws_peer *peer, unsigned code) MUST_CHECK;

#endif
