/*
 * Any bytes as a stream of frames from either side: the header parser decides as
 * soon as it can and never differently later; what our own writer writes, the
 * parser reads back; a mask put on twice is off again.
 */
#include "wire/ws_frame.h"

#include "fuzz.h"

#include <string.h>

#define PAYLOAD_BYTES_MAX 256

static void check_prefixes(const uint8_t *data, size_t size, enum ws_sender sender, int whole)
{
    struct ws_header part;

    for (size_t at = 0; at < size && at < WS_HEADER_MAX; at++) {
        int now = ws_header_parse(data, at, sender, &part);

        if (now > 0)
            require(now == whole && at >= (size_t)now);
        else if (now < 0)
            require(whole < 0);
        else
            require(whole <= 0 || at < (size_t)whole);
    }
}

/* The same header as we would write it. */
static void check_written(const struct ws_header *header, enum ws_sender sender,
                          const uint8_t *data, size_t length)
{
    unsigned char written[WS_HEADER_MAX];
    size_t written_length = ws_header_write(written, header->opcode, (size_t)header->payload_bytes,
                                            sender == WS_FROM_CLIENT ? header->mask : NULL);

    require(written_length == length);
    require(!header->final || memcmp(written, data, length) == 0);
}

static void check_mask(const uint8_t *data, size_t size)
{
    unsigned char masked[PAYLOAD_BYTES_MAX];
    size_t length = size - 4 < PAYLOAD_BYTES_MAX ? size - 4 : PAYLOAD_BYTES_MAX;

    ws_mask(masked, data + 4, length, data);
    for (size_t i = 0; i < length; i++)
        require(masked[i] == (unsigned char)(data[4 + i] ^ data[i % 4]));
    ws_mask(masked, masked, length, data);
    require(memcmp(masked, data + 4, length) == 0);
}

static void check_frames(const uint8_t *at, size_t left, enum ws_sender sender)
{
    for (;;) {
        struct ws_header header;
        int length = ws_header_parse(at, left, sender, &header);
        unsigned code;

        check_prefixes(at, left, sender, length);
        require(length >= -1 && (length <= 0 || (size_t)length <= left));
        if (length <= 0)
            return;
        require(header.payload_bytes <= INT64_MAX);
        require(header.opcode < WS_CLOSE ||
                (header.final && header.payload_bytes <= WS_CONTROL_PAYLOAD_MAX));
        check_written(&header, sender, at, (size_t)length);
        at += length;
        left -= (size_t)length;
        if (header.payload_bytes > left)
            return;
        if (header.opcode == WS_CLOSE)
            (void)ws_close_read(at, (size_t)header.payload_bytes, &code);
        at += header.payload_bytes;
        left -= (size_t)header.payload_bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4)
        check_mask(data, size);
    check_frames(data, size, WS_FROM_SERVER);
    check_frames(data, size, WS_FROM_CLIENT);
    return 0;
}
