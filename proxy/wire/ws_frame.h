/*
 * WebSocket frames (RFC 6455 section 5): what a client sends is masked, what a
 * server sends is not, and neither may do as the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_HEADER_MAX          14 /* 2 + 8 length + 4 mask */
#define WS_CONTROL_PAYLOAD_MAX 125
#define WS_KEY_SIZE            25 /* base64 of 16 bytes, with NUL */
#define WS_ACCEPT_SIZE         29 /* base64 of a SHA-1, with NUL */

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

enum ws_sender { WS_FROM_SERVER = 0, WS_FROM_CLIENT };

struct ws_header {
    enum ws_opcode opcode;
    bool final;
    unsigned char mask[4]; /* of a client's frame */
    uint64_t payload_bytes;
};

/*
 * Parses the header of a frame of this sender's. Returns its length in bytes, 0 if
 * more bytes are needed, -1 if the frame breaks the protocol: reserved bits or
 * opcodes, a mask or none against section 5.1, a fragmented or long control frame, a
 * length that is not in its shortest form or beyond 2^63.
 */
int ws_header_parse(const unsigned char *bytes, size_t length, enum ws_sender sender,
                    struct ws_header *out);

/* What may be wrong with a frame, in the order of section 5.2. */
enum ws_mistake {
    WS_RESERVED_BITS = 0,
    WS_UNKNOWN_OPCODE,
    WS_WRONG_MASK,
    WS_BAD_CONTROL, /* fragmented, or long */
    WS_BAD_LENGTH,
    WS_OUT_OF_ORDER, /* goes on with nothing, or begins within a message: ws_reader.h */
    WS_MISTAKES,
};

/* Why ws_header_parse refused what begins with these bytes. */
enum ws_mistake ws_header_mistake(const unsigned char bytes[2], enum ws_sender sender);

/*
 * Writes the header of a final frame, a client's if there is a mask (NULL: a server's).
 * Returns its length, at most WS_HEADER_MAX.
 */
size_t ws_header_write(unsigned char *out, enum ws_opcode opcode, size_t payload_bytes,
                       const unsigned char mask[4]);

/* Copies a payload under its mask (section 5.3); `out` and `bytes` may be the same. */
void ws_mask(unsigned char *out, const unsigned char *bytes, size_t length,
             const unsigned char mask[4]);

/* Whether a close code may stand in a frame (section 7.4, IANA registry). */
bool ws_close_code_valid(unsigned code);
/* The code in a close frame's payload; 0: it has none. False if it may not be so (section 5.5.1).
 */
bool ws_close_read(const unsigned char *payload, size_t length, unsigned *code);
/* A close frame's payload, its text cut to what fits; its length. Code 0: no payload. */
size_t ws_close_write(unsigned char payload[WS_CONTROL_PAYLOAD_MAX], unsigned code,
                      const char *text, size_t text_length);

/* The Sec-WebSocket-Accept that answers a key (section 4.2.2). */
void ws_accept_of(const char *key, char out[WS_ACCEPT_SIZE]);
