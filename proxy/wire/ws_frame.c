#include "wire/ws_frame.h"

#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The first two bytes: what is reserved is not set, and a control frame is whole and short. */
static bool first_bytes_valid(unsigned first, unsigned second, enum ws_sender sender)
{
    unsigned opcode = first & 0x0f;

    if ((first & 0x70) != 0 || ((second & 0x80) != 0) != (sender == WS_FROM_CLIENT))
        return false;
    if (opcode >= WS_CLOSE)
        return opcode <= WS_PONG && (first & 0x80) != 0 &&
               (second & 0x7f) <= WS_CONTROL_PAYLOAD_MAX;
    return opcode <= WS_BINARY;
}

int ws_header_parse(const unsigned char *bytes, size_t length, enum ws_sender sender,
                    struct ws_header *out)
{
    unsigned short_length;
    uint64_t payload_bytes = 0;
    size_t need, mask = sender == WS_FROM_CLIENT ? sizeof(out->mask) : 0;

    if (length < 2)
        return 0;
    if (!first_bytes_valid(bytes[0], bytes[1], sender))
        return -1;
    short_length = bytes[1] & 0x7f;
    need = short_length == 126 ? 4 : short_length == 127 ? 10 : 2;
    if (length < need)
        return 0;
    for (size_t i = 2; i < need; i++)
        payload_bytes = payload_bytes << 8 | bytes[i];
    if ((need == 4 && payload_bytes < 126) || (need == 10 && payload_bytes < 65536) ||
        payload_bytes >> 63 != 0)
        return -1;
    if (length < need + mask)
        return 0;
    out->opcode = (enum ws_opcode)(bytes[0] & 0x0f);
    out->final = (bytes[0] & 0x80) != 0;
    out->payload_bytes = need == 2 ? short_length : payload_bytes;
    memcpy(out->mask, bytes + need, mask);
    return (int)(need + mask);
}

enum ws_mistake ws_header_mistake(const unsigned char bytes[2], enum ws_sender sender)
{
    const unsigned opcode = bytes[0] & 0x0f;

    if ((bytes[0] & 0x70) != 0)
        return WS_RESERVED_BITS;
    if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
        return WS_UNKNOWN_OPCODE;
    if (((bytes[1] & 0x80) != 0) != (sender == WS_FROM_CLIENT))
        return WS_WRONG_MASK;
    return opcode >= WS_CLOSE ? WS_BAD_CONTROL : WS_BAD_LENGTH;
}

size_t ws_header_write(unsigned char *out, enum ws_opcode opcode, size_t payload_bytes,
                       const unsigned char mask[4])
{
    size_t length_bytes = payload_bytes < 126 ? 0 : payload_bytes < 65536 ? 2 : 8;
    unsigned short_length = length_bytes == 0   ? (unsigned)payload_bytes
                            : length_bytes == 2 ? 126
                                                : 127;

    out[0] = (unsigned char)(0x80 | (unsigned)opcode);
    out[1] = (unsigned char)((mask != NULL ? 0x80 : 0) | short_length);
    for (size_t i = 0; i < length_bytes; i++)
        out[2 + i] = (unsigned char)(payload_bytes >> 8 * (length_bytes - 1 - i));
    if (mask == NULL)
        return 2 + length_bytes;
    memcpy(out + 2 + length_bytes, mask, 4);
    return 2 + length_bytes + 4;
}

void ws_mask(unsigned char *out, const unsigned char *bytes, size_t length,
             const unsigned char mask[4])
{
    uint64_t wide, word;
    size_t i = 0;

    memcpy(&wide, mask, 4);
    memcpy((unsigned char *)&wide + 4, mask, 4);
    for (; length - i >= 8; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= wide;
        memcpy(out + i, &word, 8);
    }
    for (; i < length; i++)
        out[i] = bytes[i] ^ mask[i & 3];
}

bool ws_close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

bool ws_close_read(const unsigned char *payload, size_t length, unsigned *code)
{
    *code = length >= 2 ? (unsigned)payload[0] << 8 | payload[1] : 0;
    return length == 0 || ws_close_code_valid(*code);
}

size_t ws_close_write(unsigned char payload[WS_CONTROL_PAYLOAD_MAX], unsigned code,
                      const char *text, size_t text_length)
{
    if (code == 0)
        return 0;
    payload[0] = (unsigned char)(code >> 8);
    payload[1] = (unsigned char)code;
    if (text_length > WS_CONTROL_PAYLOAD_MAX - 2)
        text_length = WS_CONTROL_PAYLOAD_MAX - 2;
    if (text_length > 0)
        memcpy(payload + 2, text, text_length);
    return 2 + text_length;
}

void ws_accept_of(const char *key, char out[WS_ACCEPT_SIZE])
{
    /* The fixed GUID of RFC 6455 section 1.3. */
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WS_KEY_SIZE + sizeof(guid)];
    unsigned char digest[SHA1_BYTES];

    snprintf(text, sizeof(text), "%s%s", key, guid);
    secret_sha1(text, strlen(text), digest);
    text_base64(digest, sizeof(digest), out);
}
