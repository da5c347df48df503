/*
 * The little of WebSocket (RFC 6455) that the load generator and its service
 * need: the accept key and whole, unfragmented frames. Both ends are ours, so
 * anything unexpected is an error, not a case.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_KEY_CHARS         24 /* Sec-WebSocket-Key: 16 bytes in base64 */
#define WS_ACCEPT_CHARS      28 /* Sec-WebSocket-Accept: a SHA-1 digest in base64 */
#define WS_HEADER_BYTES_MAX  14
#define WS_PAYLOAD_BYTES_MAX 65535

enum ws_opcode { WS_TEXT = 1, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
    enum ws_opcode opcode;
    uint8_t *payload; /* borrowed from the bytes given; unmasked in place */
    size_t length;
};

enum ws_progress { WS_BAD = -1, WS_PARTIAL = 0, WS_WHOLE = 1 };

/* The accept key for a request's key (section 4.2.2); `out` is terminated. */
void ws_accept_key(const char key[WS_KEY_CHARS], char out[WS_ACCEPT_CHARS + 1]);

/* Base64 of 16 random bytes, terminated. */
void ws_random_key(const uint8_t random[16], char out[WS_KEY_CHARS + 1]);

/*
 * Writes a final frame to `out`, which has room for the header and the payload,
 * and returns its length. `mask` is 0 from a server; a client gives one that is
 * not, and the payload is masked with it.
 */
size_t ws_write_frame(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t length,
                      uint32_t mask);

/* The header of such a frame alone, of any length; returns its own. */
size_t ws_write_header(uint8_t *out, enum ws_opcode opcode, size_t length, uint32_t mask);

/*
 * The length of the header at the start of `bytes`, and its payload's; 0: it is not whole, or
 * not that of a final text frame that is masked if and only if `masked`.
 */
size_t ws_read_header(const uint8_t *bytes, size_t have, bool masked, size_t *payload_bytes);

/* Puts a mask on, or takes it off. */
void ws_apply_mask(uint8_t *bytes, size_t length, uint32_t mask);

/*
 * Reads the frame at the start of `bytes`. With WS_WHOLE, *frame and *consumed
 * are set. A frame must be masked if and only if `masked`.
 */
enum ws_progress ws_read_frame(uint8_t *bytes, size_t length, bool masked, struct ws_frame *frame,
                               size_t *consumed);
