/*
 * The frames of one side of a WebSocket, client or server, to whole messages and control
 * frames (RFC 6455 sections 5.4 to 5.6). Without I/O. What lies whole in the bytes that are
 * fed is handed out where it lies. Text that is not UTF-8 is told at its first byte that
 * cannot be, and a close frame is one that may be sent, with a reason that is UTF-8.
 */
#pragma once

#include "wire/assembly.h"
#include "wire/ws_frame.h"

#define WS_PIECES_BYTES_MAX (UINT64_C(1) << 30) /* of a text in pieces; beyond is WS_TOO_BIG */

/* Embedded by its user, who calls ws_reader_clear. */
struct ws_reader {
    size_t max_message_bytes;
    enum ws_sender sender;
    bool discard;      /* set by the user: data frames are passed over, only control frames count */
    bool gives_pieces; /* set by the user: of a text beyond the limit there are pieces */
    bool leaves_text;  /* set by the user, who looks himself whether what came at once is UTF-8 */
    bool in_frame, in_message, in_pieces, told;
    enum ws_opcode kind;                 /* of the message: WS_TEXT or WS_BINARY */
    unsigned char header[WS_HEADER_MAX]; /* split between reads */
    unsigned char header_length, control_length;
    struct ws_header frame; /* the one being read; its mask turns with the payload */
    uint64_t left;          /* of its payload */
    struct assembly message;
    uint64_t given;         /* bytes of the message in pieces */
    size_t checked;         /* bytes of a text that are whole characters */
    unsigned char *control; /* WS_CONTROL_PAYLOAD_MAX, once a control frame came in pieces; owned */
};

enum ws_progress {
    WS_FAULT = 0,   /* the protocol was broken */
    WS_FAULT_CLOSE, /* by a close frame that may not be (section 5.5.1) */
    WS_FAULT_UTF8,  /* by a text or a close frame's reason that is no UTF-8 (section 8.1) */
    WS_TOO_BIG,     /* a message is beyond the limit, or there is no memory for it */
    WS_MORE,        /* all bytes were taken */
    WS_WHOLE,       /* a message or a control frame */
    WS_PIECE,       /* of a text that is beyond the limit: its next bytes, if any */
    WS_PIECE_LAST,
};

/* Valid until the next call and for as long as the bytes that were fed; may be written to. */
struct ws_whole {
    enum ws_opcode opcode; /* never WS_CONTINUATION */
    unsigned char *data;
    size_t length;
};

void ws_reader_init(struct ws_reader *reader, enum ws_sender sender, size_t max_message_bytes);
void ws_reader_clear(struct ws_reader *reader);
/* The message that was handed out last is needed no more: the next call would say so, too. */
void ws_reader_let_go(struct ws_reader *reader);
/* Its memory, if it was put together here: the caller's now; else an empty one. */
struct assembly ws_reader_take(struct ws_reader *reader);
/*
 * Where the rest of the frame that is being read belongs, and how much of it fits there: what is
 * read to there and fed from there is not copied. 0: nowhere.
 */
size_t ws_reader_room(const struct ws_reader *reader, unsigned char **room);
/* Takes masks off in place. To be called until it has taken all bytes; after a fault no more. */
enum ws_progress ws_reader_next(struct ws_reader *reader, unsigned char *bytes, size_t length,
                                size_t *taken, struct ws_whole *whole);
/* What was wrong, after WS_FAULT. */
enum ws_mistake ws_reader_mistake(const struct ws_reader *reader);
