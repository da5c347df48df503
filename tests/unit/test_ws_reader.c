/* ws_reader.c: frames to messages, whole, in pieces, and in every cut of them. */
#include "wire/ws_reader.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 64

/* What the reader makes of the bytes when they are fed in pieces of so many: "1:text 9:ping". */
struct feed {
    struct ws_reader reader;
    char heard[256], pieces[256];
    size_t most; /* kept of one in pieces */
    enum ws_progress end;
    bool in_place; /* bytes are read to where they belong, if there is such a place */
};

static void feed(struct feed *feed, const char *bytes, size_t length, size_t piece)
{
    unsigned char *copy = malloc(length);

    memcpy(copy, bytes, length);
    feed->heard[0] = feed->pieces[0] = '\0';
    feed->most = 0;
    for (size_t at = 0, taken; at < length; at += taken) {
        size_t some = length - at < piece ? length - at : piece, end = strlen(feed->heard);
        unsigned char *from = copy + at, *room;
        size_t fits = feed->in_place ? ws_reader_room(&feed->reader, &room) : 0;
        struct ws_whole whole;

        if (fits > 0) {
            some = some < fits ? some : fits;
            from = memcpy(room, from, some);
        }
        feed->end = ws_reader_next(&feed->reader, from, some, &taken, &whole);
        if (feed->end < WS_MORE)
            break;
        if (feed->end == WS_PIECE || feed->end == WS_PIECE_LAST) {
            end = strlen(feed->pieces);
            snprintf(feed->pieces + end, sizeof(feed->pieces) - end, "%.*s%s", (int)whole.length,
                     whole.length > 0 ? (const char *)whole.data : "",
                     feed->end == WS_PIECE_LAST ? "." : "");
            if (feed->reader.message.length > feed->most)
                feed->most = feed->reader.message.length;
        }
        if (feed->end == WS_WHOLE)
            snprintf(feed->heard + end, sizeof(feed->heard) - end, "%s%d:%.*s", end > 0 ? " " : "",
                     (int)whole.opcode, (int)whole.length, (const char *)whole.data);
    }
    free(copy);
}

/* The same in every cut; the reader begins anew each time. */
static void expect(enum ws_sender sender, const char *bytes, size_t length, enum ws_progress end,
                   const char *heard)
{
    for (size_t i = 0; i < 2 * length; i++) {
        struct feed fed = {.in_place = i % 2 != 0};
        size_t piece = 1 + i / 2;

        ws_reader_init(&fed.reader, sender, LIMIT);
        feed(&fed, bytes, length, piece);
        assert_string_equal(fed.heard, heard);
        if (end < WS_MORE)
            assert_int_equal(fed.end, end);
        else
            assert_true(fed.end >= WS_MORE);
        ws_reader_clear(&fed.reader);
    }
}

#define EXPECT(sender, literal, end, heard) expect(sender, literal, sizeof(literal) - 1, end, heard)

TEST(test_messages)
{
    EXPECT(WS_FROM_SERVER, "\x81\x05hello\x82\x02hi\x81\x00", WS_WHOLE, "1:hello 2:hi 1:");
    EXPECT(WS_FROM_SERVER,
           "\x01\x03"
           "abc\x00\x00\x80\x03"
           "def\x81\x01x",
           WS_WHOLE, "1:abcdef 1:x");
    EXPECT(WS_FROM_SERVER, "\x02\x00\x80\x00", WS_WHOLE, "2:");
    EXPECT(WS_FROM_SERVER, "\x81\x05hell", WS_MORE, "");
}

/* RFC 6455 section 5.7, and a mask that goes on where a piece ended. */
TEST(test_masked)
{
    EXPECT(WS_FROM_CLIENT, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", WS_WHOLE, "1:Hello");
    EXPECT(WS_FROM_CLIENT,
           "\x01\x83\x01\x01\x01\x01```\x80\x82\x20\x20\x20\x20"
           "AB",
           WS_WHOLE, "1:aaaab");
    EXPECT(WS_FROM_CLIENT, "\x81\x05hello", WS_FAULT, "");
    EXPECT(WS_FROM_SERVER, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", WS_FAULT, "");
}

TEST(test_control_frames_between)
{
    EXPECT(WS_FROM_SERVER,
           "\x01\x02"
           "ab\x89\x04ping\x80\x01"
           "c\x8a\x00\x88\x02\x03\xe8",
           WS_WHOLE, "9:ping 1:abc 10: 8:\x03\xe8");
}

TEST(test_out_of_order)
{
    EXPECT(WS_FROM_SERVER, "\x80\x01x", WS_FAULT, "");
    EXPECT(WS_FROM_SERVER, "\x81\x01x\x80\x01y", WS_FAULT, "1:x");
    EXPECT(WS_FROM_SERVER, "\x01\x01x\x81\x01y", WS_FAULT, "");
    EXPECT(WS_FROM_SERVER, "\x01\x01x\x02\x01y", WS_FAULT, "");
}

/* Refused at the header that promises too much, not when it has come. */
TEST(test_limit)
{
    static const char most[] = "\x81\x40"
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    expect(WS_FROM_SERVER, most, sizeof(most) - 1, WS_WHOLE,
           "1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    EXPECT(WS_FROM_SERVER, "\x81\x41", WS_TOO_BIG, "");
    EXPECT(WS_FROM_SERVER, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", WS_TOO_BIG, "");
    EXPECT(WS_FROM_SERVER, "\x01\x02xy\x80\x3f", WS_TOO_BIG, "");
}

/* Of a text beyond the limit there are pieces, and behind it all goes on. */
TEST(test_pieces)
{
    static const char text[] = "\x01\x02{\"\x89\x01p\x00\x3f"
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
                               "\x80\x41"
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}"
                               "\x81\x01x";

    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct feed fed = {0};

        ws_reader_init(&fed.reader, WS_FROM_SERVER, LIMIT);
        fed.reader.gives_pieces = true;
        feed(&fed, text, sizeof(text) - 1, piece);
        assert_string_equal(fed.heard, "9:p 1:x");
        assert_string_equal(fed.pieces,
                            "{\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
                            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}.");
        assert_int_equal(fed.most, 2);
        ws_reader_clear(&fed.reader);
    }
}

/* Not of what is binary, nor without end. */
TEST(test_no_pieces)
{
    static const char *const beyond[] = {"\x82\x41", "\x81\x7f\x00\x00\x00\x00\x40\x00\x00\x01",
                                         "\x01\x01x\x00\x7f\x00\x00\x00\x00\x40\x00\x00\x00"};
    static const size_t lengths[] = {2, 10, 13};

    for (size_t i = 0; i < 3; i++) {
        struct feed fed = {0};

        ws_reader_init(&fed.reader, WS_FROM_SERVER, LIMIT);
        fed.reader.gives_pieces = true;
        feed(&fed, beyond[i], lengths[i], lengths[i]);
        assert_int_equal(fed.end, WS_TOO_BIG);
        ws_reader_clear(&fed.reader);
    }
    /* It counts what has come: that much and a byte. */
    struct ws_reader reader;
    struct ws_whole whole;
    unsigned char first[] = "\x01\x7e\xff\xff";
    unsigned char next[] = "\x00\x01x";
    size_t taken;

    ws_reader_init(&reader, WS_FROM_SERVER, LIMIT);
    reader.gives_pieces = true;
    assert_int_equal(ws_reader_next(&reader, first, 4, &taken, &whole), WS_PIECE);
    reader.left = 0;
    reader.in_frame = false;
    reader.given = WS_PIECES_BYTES_MAX - 1;
    assert_int_equal(ws_reader_next(&reader, next, 3, &taken, &whole), WS_PIECE);
    next[0] = 0x80;
    assert_int_equal(ws_reader_next(&reader, next, 3, &taken, &whole), WS_TOO_BIG);
    ws_reader_clear(&reader);
}

/* A message in one piece is handed out where it lies: no copy, no memory. */
TEST(test_lies_where_it_came)
{
    unsigned char bytes[] = "\x81\x05hello\x01\x02xy\x80\x01z";
    struct ws_reader reader;
    struct ws_whole whole;
    size_t taken;

    ws_reader_init(&reader, WS_FROM_SERVER, LIMIT);
    assert_int_equal(ws_reader_next(&reader, bytes, 7, &taken, &whole), WS_WHOLE);
    assert_ptr_equal(whole.data, bytes + 2);
    assert_null(reader.message.data);
    assert_int_equal(ws_reader_next(&reader, bytes + 7, 7, &taken, &whole), WS_WHOLE);
    assert_ptr_equal(whole.data, reader.message.data + ASSEMBLY_HEADROOM);
    assert_memory_equal(whole.data, "xyz", 3);
    /* It is given back at the next call. */
    assert_int_equal(ws_reader_next(&reader, bytes, 1, &taken, &whole), WS_MORE);
    assert_null(reader.message.data);
    ws_reader_clear(&reader);
}

TEST(test_discard)
{
    struct feed fed = {0};
    static const char bytes[] = "\x00\x02xy\x81\x7e\xff\xff";

    ws_reader_init(&fed.reader, WS_FROM_SERVER, LIMIT);
    feed(&fed,
         "\x01\x02"
         "ab",
         4, 4);
    fed.reader.discard = true;
    /* Neither their order nor their length counts any more. */
    feed(&fed, bytes, sizeof(bytes) - 1, 3);
    assert_int_equal(fed.end, WS_MORE);
    for (size_t left = 65535; left > 0; left -= 15)
        feed(&fed, "...............", 15, 15);
    feed(&fed, "\x88\x00", 2, 2);
    assert_string_equal(fed.heard, "8:");
    ws_reader_clear(&fed.reader);
}

/* Section 8.1: at the first byte that cannot be, in whatever cut; not before. */
TEST(test_text_is_utf8)
{
    EXPECT(WS_FROM_SERVER, "\x81\x02\xc3\xa4\x01\x01\xc3\x80\x01\xa4", WS_WHOLE,
           "1:\xc3\xa4 1:\xc3\xa4");
    EXPECT(WS_FROM_SERVER, "\x82\x02\xff\xff", WS_WHOLE, "2:\xff\xff");
    EXPECT(WS_FROM_SERVER, "\x81\x03x\xc3(", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_SERVER, "\x01\x01\xc3\x80\x01x", WS_FAULT_UTF8, "");
    /* Cut off at the end; the rest of these has not come and is not waited for. */
    EXPECT(WS_FROM_SERVER, "\x81\x01\xc3", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_SERVER, "\x01\x02\xed\xa0", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_SERVER, "\x81\x20\xf4\x90", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_SERVER, "\x01\x03\xf4\x8f\xbf\x80\x01\xbf", WS_WHOLE, "1:\xf4\x8f\xbf\xbf");
    EXPECT(WS_FROM_CLIENT, "\x01\x81\x00\x00\x00\x00\xff", WS_FAULT_UTF8, "");
}

/* Whoever looks himself is left what came at once; the rest has been looked at. */
TEST(test_text_that_is_left)
{
    struct feed fed = {0};

    ws_reader_init(&fed.reader, WS_FROM_SERVER, LIMIT);
    fed.reader.leaves_text = true;
    feed(&fed, "\x81\x01\xff\x81\x01z", 6, 6);
    assert_string_equal(fed.heard, "1:\xff 1:z");
    feed(&fed, "\x01\x01\xc3\x80\x01\x80", 6, 6);
    assert_string_equal(fed.heard, "1:\xc3\x80");
    feed(&fed, "\x01\x01\xff", 3, 3);
    assert_int_equal(fed.end, WS_FAULT_UTF8);
    ws_reader_clear(&fed.reader);
    /* A frame in two reads is put together, and looked at. */
    ws_reader_init(&fed.reader, WS_FROM_SERVER, LIMIT);
    fed.reader.leaves_text = true;
    feed(&fed, "\x81\x02x\xff", 4, 3);
    assert_int_equal(fed.end, WS_FAULT_UTF8);
    ws_reader_clear(&fed.reader);
}

/* What was put together is the taker's; what lay whole where it was fed stays there. */
TEST(test_take)
{
    unsigned char bytes[] = "\x81\x02hi\x81\x05hel", rest[] = "lo", *room;
    struct ws_reader reader;
    struct ws_whole whole;
    struct assembly taken;
    size_t count;

    ws_reader_init(&reader, WS_FROM_SERVER, LIMIT);
    assert_int_equal(ws_reader_next(&reader, bytes, 4, &count, &whole), WS_WHOLE);
    assert_ptr_equal(whole.data, bytes + 2);
    assert_null(ws_reader_take(&reader).data);
    assert_int_equal(ws_reader_room(&reader, &room), 0);
    assert_int_equal(ws_reader_next(&reader, bytes + 4, 5, &count, &whole), WS_MORE);
    assert_null(ws_reader_take(&reader).data);
    assert_int_equal(ws_reader_room(&reader, &room), 2);
    assert_int_equal(ws_reader_next(&reader, rest, 2, &count, &whole), WS_WHOLE);
    taken = ws_reader_take(&reader);
    ws_reader_clear(&reader);
    assert_ptr_equal(whole.data, taken.data + ASSEMBLY_HEADROOM);
    assert_int_equal(taken.length, 5);
    assert_memory_equal(whole.data, "hello", 5);
    assembly_clear(&taken);
}

/* Section 5.5.1. */
TEST(test_close_frames)
{
    EXPECT(WS_FROM_SERVER, "\x88\x00", WS_WHOLE, "8:");
    EXPECT(WS_FROM_SERVER, "\x88\x04\x03\xe8\xc3\xa4", WS_WHOLE, "8:\x03\xe8\xc3\xa4");
    EXPECT(WS_FROM_SERVER, "\x88\x01\x03", WS_FAULT_CLOSE, "");
    EXPECT(WS_FROM_SERVER, "\x88\x02\x03\xed", WS_FAULT_CLOSE, "");
    EXPECT(WS_FROM_SERVER, "\x88\x04\x03\xe8\xc3(", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_SERVER, "\x88\x03\x03\xe8\xc3", WS_FAULT_UTF8, "");
    EXPECT(WS_FROM_CLIENT, "\x88\x82\x00\x00\x00\x00\x03\xe8", WS_WHOLE, "8:\x03\xe8");
}

/* What only a client may send, and how. */
TEST(test_frames_that_may_not_be)
{
    static const char *const headers[] = {"\xc1\x80", "\xa1\x80", "\x91\x80", "\x83\x80",
                                          "\x87\x80", "\x8b\x80", "\x8f\x80", "\x09\x80",
                                          "\x08\x80", "\x89\xfe", "\x89\xff", "\x81\x01"};

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        expect(WS_FROM_CLIENT, headers[i], 2, WS_FAULT, "");
    EXPECT(WS_FROM_CLIENT, "\x81\xfe\x00\x7d", WS_FAULT, "");
    EXPECT(WS_FROM_CLIENT, "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", WS_FAULT, "");
    EXPECT(WS_FROM_CLIENT, "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", WS_FAULT, "");
}
