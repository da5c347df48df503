/* Frames from a WebSocket server to messages (RFC 6455 section 5.4). */
#ifndef SIDELOCK_CONNECT_WS_READER_H
#define SIDELOCK_CONNECT_WS_READER_H

#include "base/buffer.h"
#include "base/text.h"
#include "wire/ws_frame.h"

/* Embedded by its user, who calls ws_reader_clear. */
struct ws_reader {
    unsigned char header[10]; /* split between reads */
    size_t header_length;
    struct ws_header frame; /* the frame being read */
    uint64_t left;          /* of its payload */
    bool in_frame, in_message, told;
    struct buffer message;
    struct buffer control;
};

enum ws_progress {
    WS_FAULT = 0, /* the protocol was broken, or a message is beyond the limit */
    WS_MORE,      /* all bytes were taken */
    WS_MESSAGE,   /* text */
    WS_PINGED,
    WS_CLOSED, /* the payload is of a close frame */
};

void ws_reader_init(struct ws_reader *reader, size_t max_bytes);
void ws_reader_clear(struct ws_reader *reader);
/* *payload is valid until the next call, and may be written to. Pongs are passed over. */
enum ws_progress ws_reader_next(struct ws_reader *reader, const char *bytes, size_t length,
                                size_t *taken, struct span *payload);

#endif
