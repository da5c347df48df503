#include "ws.h"

#include <string.h>

#define SHA1_BYTES       20
#define SHA1_BLOCK_BYTES 64
#define SHA1_ROUNDS      80

static const char accept_suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static uint32_t rotate_left(uint32_t value, unsigned bits)
{
    return (value << bits) | (value >> (32 - bits));
}

static void sha1_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t word[SHA1_ROUNDS];
    for (size_t i = 0; i < 16; i++) {
        word[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                  (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (unsigned i = 16; i < SHA1_ROUNDS; i++) {
        word[i] = rotate_left(word[i - 3] ^ word[i - 8] ^ word[i - 14] ^ word[i - 16], 1);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (unsigned i = 0; i < SHA1_ROUNDS; i++) {
        uint32_t mix, constant;
        if (i < 20) {
            mix = (b & c) | (~b & d);
            constant = 0x5a827999;
        } else if (i < 40) {
            mix = b ^ c ^ d;
            constant = 0x6ed9eba1;
        } else if (i < 60) {
            mix = (b & c) | (b & d) | (c & d);
            constant = 0x8f1bbcdc;
        } else {
            mix = b ^ c ^ d;
            constant = 0xca62c1d6;
        }
        uint32_t next = rotate_left(a, 5) + mix + e + constant + word[i];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* The digest of the 60 bytes of an accept key: always two blocks. */
static void sha1_accept(const uint8_t *text, size_t length, uint8_t out[SHA1_BYTES])
{
    uint8_t blocks[2 * SHA1_BLOCK_BYTES] = {0};
    memcpy(blocks, text, length);
    blocks[length] = 0x80;
    blocks[sizeof blocks - 2] = (uint8_t)(length * 8 >> 8);
    blocks[sizeof blocks - 1] = (uint8_t)(length * 8);
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    sha1_block(state, blocks);
    sha1_block(state, blocks + SHA1_BLOCK_BYTES);
    for (unsigned i = 0; i < SHA1_BYTES; i++) {
        out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

static void base64(const uint8_t *bytes, size_t length, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (size_t i = 0; i < length; i += 3) {
        size_t have = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= have > 2 ? (uint32_t)bytes[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = digits[have > 1 ? group >> 6 & 63 : 64];
        *out++ = digits[have > 2 ? group & 63 : 64];
    }
    *out = '\0';
}

void ws_accept_key(const char key[WS_KEY_CHARS], char out[WS_ACCEPT_CHARS + 1])
{
    uint8_t text[WS_KEY_CHARS + sizeof accept_suffix - 1];
    memcpy(text, key, WS_KEY_CHARS);
    memcpy(text + WS_KEY_CHARS, accept_suffix, sizeof accept_suffix - 1);
    uint8_t digest[SHA1_BYTES];
    sha1_accept(text, sizeof text, digest);
    base64(digest, sizeof digest, out);
}

void ws_random_key(const uint8_t random[16], char out[WS_KEY_CHARS + 1])
{
    base64(random, 16, out);
}

/* Masking is its own inverse (section 5.3); eight bytes at a time. */
void ws_apply_mask(uint8_t *bytes, size_t length, uint32_t mask)
{
    uint64_t wide = (uint64_t)mask << 32 | mask;
    size_t i = 0;
    for (; i + sizeof wide <= length; i += sizeof wide) {
        uint64_t chunk;
        memcpy(&chunk, bytes + i, sizeof chunk);
        chunk ^= wide;
        memcpy(bytes + i, &chunk, sizeof chunk);
    }
    const uint8_t *key = (const uint8_t *)&mask;
    for (; i < length; i++) {
        bytes[i] ^= key[i % 4];
    }
}

size_t ws_write_header(uint8_t *out, enum ws_opcode opcode, size_t length, uint32_t mask)
{
    size_t at = 2;
    size_t length_bytes = length < 126 ? 0 : length <= WS_PAYLOAD_BYTES_MAX ? 2 : 8;
    size_t code = length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127;
    out[0] = (uint8_t)(0x80 | opcode);
    out[1] = (uint8_t)((mask != 0 ? 0x80 : 0) | code);
    for (size_t i = length_bytes; i > 0; i--) {
        out[at++] = (uint8_t)(length >> 8 * (i - 1));
    }
    if (mask != 0) {
        memcpy(out + at, &mask, sizeof mask);
        at += sizeof mask;
    }
    return at;
}

size_t ws_read_header(const uint8_t *bytes, size_t have, bool masked, size_t *payload_bytes)
{
    if (have < 2 || bytes[0] != (0x80 | WS_TEXT) || (bytes[1] & 0x80) != (masked ? 0x80 : 0)) {
        return 0;
    }
    size_t code = bytes[1] & 0x7f;
    size_t length_bytes = code < 126 ? 0 : code == 126 ? 2 : 8;
    size_t header = 2 + length_bytes + (masked ? sizeof(uint32_t) : 0);
    if (have < header) {
        return 0;
    }
    *payload_bytes = length_bytes == 0 ? code : 0;
    for (size_t i = 0; i < length_bytes; i++) {
        *payload_bytes = *payload_bytes << 8 | bytes[2 + i];
    }
    return header;
}

size_t ws_write_frame(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t length,
                      uint32_t mask)
{
    size_t at = ws_write_header(out, opcode, length, mask);
    memcpy(out + at, payload, length);
    if (mask != 0) {
        ws_apply_mask(out + at, length, mask);
    }
    return at + length;
}

enum ws_progress ws_read_frame(uint8_t *bytes, size_t length, bool masked, struct ws_frame *frame,
                               size_t *consumed)
{
    if (length < 2) {
        return WS_PARTIAL;
    }
    size_t payload_length = bytes[1] & 0x7f;
    if ((bytes[0] & 0xf0) != 0x80 || (bytes[1] & 0x80) != (masked ? 0x80 : 0) ||
        payload_length == 127) {
        return WS_BAD;
    }
    size_t at = 2;
    if (payload_length == 126) {
        if (length < 4) {
            return WS_PARTIAL;
        }
        payload_length = (size_t)bytes[2] << 8 | bytes[3];
        at = 4;
    }
    size_t mask_at = at;
    at += masked ? sizeof(uint32_t) : 0;
    if (length < at + payload_length) {
        return WS_PARTIAL;
    }
    frame->opcode = (enum ws_opcode)(bytes[0] & 0x0f);
    frame->payload = bytes + at;
    frame->length = payload_length;
    if (masked) {
        uint32_t mask;
        memcpy(&mask, bytes + mask_at, sizeof mask);
        ws_apply_mask(frame->payload, frame->length, mask);
    }
    *consumed = at + payload_length;
    return WS_WHOLE;
}
