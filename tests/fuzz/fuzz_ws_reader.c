/*
 * Any bytes as frames from either side: cut anywhere into pieces they say the same
 * as in one piece, nothing beyond the limit is handed out, and what is passed over
 * never is. The first byte chooses sender and limit, the second the size of pieces.
 */
#include "wire/ws_reader.h"

#include "fuzz.h"

#include <string.h>

/* All that was handed out, one after another, and how it ended. */
struct heard {
    unsigned char *bytes;
    size_t length;
    enum ws_progress end;
};

static void hear(struct heard *heard, const struct ws_whole *whole)
{
    unsigned char head[2] = {(unsigned char)whole->opcode, (unsigned char)(whole->length & 0xff)};

    memcpy(heard->bytes + heard->length, head, sizeof(head));
    if (whole->length > 0)
        memcpy(heard->bytes + heard->length + sizeof(head), whole->data, whole->length);
    heard->length += sizeof(head) + whole->length;
}

static struct heard read_all(struct ws_reader *reader, const uint8_t *data, size_t size,
                             size_t piece)
{
    /* A frame takes two bytes at least, which is what it is heard by. */
    struct heard heard = {.bytes = malloc(size + 1), .end = WS_MORE};
    unsigned char *copy = malloc(size + 1);

    require(heard.bytes != NULL && copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    for (size_t at = 0, taken; at < size; at += taken) {
        size_t some = size - at < piece ? size - at : piece;
        struct ws_whole whole;

        heard.end = ws_reader_next(reader, copy + at, some, &taken, &whole);
        require(taken <= some);
        if (heard.end == WS_FAULT || heard.end == WS_TOO_BIG)
            break;
        require(taken == some || heard.end == WS_WHOLE);
        if (heard.end != WS_WHOLE)
            continue;
        require(whole.opcode != WS_CONTINUATION);
        require(whole.length <=
                (whole.opcode >= WS_CLOSE ? WS_CONTROL_PAYLOAD_MAX : reader->max_message_bytes));
        require(!reader->discard || whole.opcode >= WS_CLOSE);
        hear(&heard, &whole);
    }
    free(copy);
    return heard;
}

static void check(enum ws_sender sender, size_t max_bytes, bool discard, const uint8_t *data,
                  size_t size, size_t piece)
{
    struct ws_reader whole, pieces;
    struct heard at_once, by_pieces;

    ws_reader_init(&whole, sender, max_bytes);
    ws_reader_init(&pieces, sender, max_bytes);
    whole.discard = pieces.discard = discard;
    at_once = read_all(&whole, data, size, size);
    by_pieces = read_all(&pieces, data, size, piece);
    require(at_once.length == by_pieces.length);
    require(memcmp(at_once.bytes, by_pieces.bytes, at_once.length) == 0);
    /* The last piece may end within a frame that is already heard of. */
    require((at_once.end <= WS_TOO_BIG) == (by_pieces.end <= WS_TOO_BIG));
    require(at_once.end > WS_TOO_BIG || at_once.end == by_pieces.end);
    free(at_once.bytes);
    free(by_pieces.bytes);
    ws_reader_clear(&whole);
    ws_reader_clear(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum ws_sender sender;
    size_t max_bytes, piece;

    if (size < 2)
        return 0;
    sender = (data[0] & 1) != 0 ? WS_FROM_CLIENT : WS_FROM_SERVER;
    max_bytes = (data[0] & 2) != 0 ? 16 : 65536;
    piece = (size_t)data[1] % 32 + 1;
    check(sender, max_bytes, false, data + 2, size - 2, piece);
    check(sender, max_bytes, true, data + 2, size - 2, piece);
    return 0;
}
