/*
 * Any bytes as frames from either side: cut anywhere into pieces they say the same
 * as in one piece, which is what a plain reading of RFC 6455 says; nothing beyond the
 * limit is handed out, and what is passed over never is. The first byte chooses sender
 * and limit, the second the size of pieces.
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
        if (heard.end < WS_MORE)
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

/* ---- The oracle: all bytes are there, one frame after the other, byte by byte ---- */

/* Decodes each character (RFC 3629); `part`: the last one may be cut off. */
static bool is_utf8(const unsigned char *at, size_t length, bool part)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t i = 0; i < length;) {
        unsigned char first = at[i];
        size_t bytes = first < 0x80   ? 1
                       : first < 0xc0 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                                      : 4;
        uint32_t low, high;

        if (bytes == 0 || first > 0xf7)
            return false;
        if (bytes == 1) {
            i++;
            continue;
        }
        /* What it can be at the least and at the most, whatever comes. */
        low = high = first & (0xffu >> (bytes + 1));
        for (size_t k = 1; k < bytes; k++) {
            bool there = i + k < length;

            if (there && (at[i + k] & 0xc0) != 0x80)
                return false;
            low = low << 6 | (there ? at[i + k] & 0x3fu : 0);
            high = high << 6 | (there ? at[i + k] & 0x3fu : 0x3f);
        }
        if (high < least[bytes] || low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff))
            return false;
        if (i + bytes > length)
            return part;
        i += bytes;
    }
    return true;
}

struct oracle {
    enum ws_sender sender;
    size_t max_bytes;
    struct heard heard;
    unsigned char *message; /* that has begun */
    size_t message_bytes;
    unsigned kind; /* of it; 0: none has */
};

static void oracle_hear(struct oracle *oracle, unsigned opcode, unsigned char *data, size_t length)
{
    struct ws_whole whole = {.opcode = (enum ws_opcode)opcode, .length = length};

    whole.data = data;
    hear(&oracle->heard, &whole);
}

static enum ws_progress oracle_control(struct oracle *oracle, unsigned opcode, unsigned char *data,
                                       size_t length)
{
    unsigned code = length >= 2 ? (unsigned)data[0] << 8 | data[1] : 1000;

    if (opcode == 8 && (length == 1 || code < 1000 || (code > 1003 && code < 1007) ||
                        (code > 1014 && code < 3000) || code > 4999))
        return WS_FAULT_CLOSE;
    if (opcode == 8 && length > 2 && !is_utf8(data + 2, length - 2, false))
        return WS_FAULT_UTF8;
    oracle_hear(oracle, opcode, data, length);
    return WS_MORE;
}

/* The header's fields: its length, 0 if there is more to come, WS_FAULT. */
static bool oracle_header(const struct oracle *oracle, const uint8_t *at, size_t left,
                          size_t *header, uint64_t *payload)
{
    unsigned opcode = at[0] & 15, length = at[1] & 127;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    size_t mask = oracle->sender == WS_FROM_CLIENT ? 4 : 0;

    *header = 0;
    if ((at[0] & 0x70) != 0 || (at[1] >= 128) != (mask > 0) || (opcode > 2 && opcode < 8) ||
        opcode > 10 || (opcode >= 8 && (at[0] < 128 || length > 125)))
        return false;
    if (left < 2 + extra)
        return true;
    *payload = extra > 0 ? 0 : length;
    for (size_t i = 0; i < extra; i++)
        *payload = *payload << 8 | at[2 + i];
    if ((extra == 2 && *payload < 126) || (extra == 8 && (*payload < 65536 || *payload >> 63 != 0)))
        return false;
    *header = left < 2 + extra + mask ? 0 : 2 + extra + mask;
    return true;
}

/* One frame of the client's or the server's, or what is there of it. */
static enum ws_progress oracle_frame(struct oracle *oracle, const uint8_t *at, size_t left,
                                     size_t *taken)
{
    unsigned opcode = at[0] & 15;
    bool final = at[0] >= 128, whole;
    size_t header, there;
    uint64_t payload;
    unsigned char *data = oracle->message + oracle->message_bytes;

    *taken = left;
    if (left < 2)
        return WS_MORE;
    if (!oracle_header(oracle, at, left, &header, &payload))
        return WS_FAULT;
    if (header == 0)
        return WS_MORE;
    if (opcode < 8 && (opcode == 0) != (oracle->kind != 0))
        return WS_FAULT;
    if (opcode < 8 && payload > oracle->max_bytes - oracle->message_bytes)
        return WS_TOO_BIG;
    whole = payload <= left - header;
    there = whole ? (size_t)payload : left - header;
    for (size_t i = 0; i < there; i++)
        data[i] = at[header + i] ^ (oracle->sender == WS_FROM_CLIENT ? at[header - 4 + i % 4] : 0);
    *taken = header + there;
    if (opcode >= 8)
        return whole ? oracle_control(oracle, opcode, data, there) : WS_MORE;
    oracle->kind = opcode != 0 ? opcode : oracle->kind;
    oracle->message_bytes += there;
    if (oracle->kind == 1 && !is_utf8(oracle->message, oracle->message_bytes, !whole || !final))
        return WS_FAULT_UTF8;
    if (whole && final) {
        oracle_hear(oracle, oracle->kind, oracle->message, oracle->message_bytes);
        oracle->message_bytes = oracle->kind = 0;
    }
    return WS_MORE;
}

static void check_oracle(enum ws_sender sender, size_t max_bytes, const struct heard *heard,
                         const uint8_t *data, size_t size)
{
    struct oracle oracle = {.sender = sender,
                            .max_bytes = max_bytes,
                            .heard = {.bytes = malloc(size + 1), .end = WS_MORE},
                            .message = malloc(size + 1)};

    require(oracle.heard.bytes != NULL && oracle.message != NULL);
    for (size_t at = 0, taken; at < size && oracle.heard.end == WS_MORE; at += taken)
        oracle.heard.end = oracle_frame(&oracle, data + at, size - at, &taken);
    require(oracle.heard.length == heard->length);
    require(memcmp(oracle.heard.bytes, heard->bytes, heard->length) == 0);
    require(oracle.heard.end == WS_MORE ? heard->end >= WS_MORE : oracle.heard.end == heard->end);
    free(oracle.heard.bytes);
    free(oracle.message);
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
    if (!discard)
        check_oracle(sender, max_bytes, &at_once, data, size);
    require(at_once.length == by_pieces.length);
    require(memcmp(at_once.bytes, by_pieces.bytes, at_once.length) == 0);
    /* The last piece may end within a frame that is already heard of. */
    require((at_once.end < WS_MORE) == (by_pieces.end < WS_MORE));
    require(at_once.end >= WS_MORE || at_once.end == by_pieces.end);
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
