/* ws_frame.c: frame headers as RFC 6455 section 5 has them, and not a bit otherwise. */
#include "wire/ws_frame.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *bytes, size_t length, struct ws_header *out)
{
    return ws_header_parse((const unsigned char *)bytes, length, WS_FROM_SERVER, out);
}

static int parse_masked(const char *bytes, size_t length, struct ws_header *out)
{
    return ws_header_parse((const unsigned char *)bytes, length, WS_FROM_CLIENT, out);
}

#define PARSE(literal, out)        parse(literal, sizeof(literal) - 1, out)
#define PARSE_MASKED(literal, out) parse_masked(literal, sizeof(literal) - 1, out)

TEST(test_every_first_byte)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned char bytes[2] = {(unsigned char)byte, 0};
        unsigned opcode = byte & 15;
        bool final = (byte & 0x80) != 0, reserved = (byte & 0x70) != 0;
        bool data = opcode <= 2, control = opcode >= 8 && opcode <= 10;
        struct ws_header header;
        int length = ws_header_parse(bytes, 2, WS_FROM_SERVER, &header);

        if (reserved || !(data || (control && final))) {
            assert_int_equal(length, -1);
            continue;
        }
        assert_int_equal(length, 2);
        assert_int_equal(header.opcode, opcode);
        assert_int_equal(header.final, final);
        assert_int_equal(header.payload_bytes, 0);
    }
}

TEST(test_masked_is_refused)
{
    struct ws_header header;

    assert_int_equal(PARSE("\x81\x80", &header), -1);
    assert_int_equal(PARSE("\x81\xff", &header), -1);
    assert_int_equal(PARSE("\x81\x85\x01\x02\x03\x04hello", &header), -1);
}

TEST(test_of_a_client)
{
    static const char whole[] = "\x81\xfe\x00\x7e\x01\x02\x03\x04";
    struct ws_header header;

    for (size_t at = 0; at < sizeof(whole) - 1; at++)
        assert_int_equal(parse_masked(whole, at, &header), 0);
    assert_int_equal(PARSE_MASKED("\x81\xfe\x00\x7e\x01\x02\x03\x04", &header), 8);
    assert_int_equal(header.payload_bytes, 126);
    assert_memory_equal(header.mask, "\x01\x02\x03\x04", 4);
    assert_int_equal(PARSE_MASKED("\x89\x80\x01\x02\x03\x04", &header), 6);
    /* Without a mask, however long. */
    assert_int_equal(PARSE_MASKED("\x81\x00", &header), -1);
    assert_int_equal(PARSE_MASKED("\x81\x7e\x00\x7e", &header), -1);
    assert_int_equal(PARSE_MASKED("\x89\xfe", &header), -1);
}

TEST(test_lengths)
{
    struct ws_header header;

    assert_int_equal(PARSE("\x81\x7d", &header), 2);
    assert_int_equal(header.payload_bytes, 125);
    assert_int_equal(PARSE("\x81\x7e\x00\x7e", &header), 4);
    assert_int_equal(header.payload_bytes, 126);
    assert_int_equal(PARSE("\x81\x7e\xff\xff", &header), 4);
    assert_int_equal(header.payload_bytes, 65535);
    assert_int_equal(PARSE("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", &header), 10);
    assert_int_equal(header.payload_bytes, 65536);
    assert_int_equal(PARSE("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", &header), 10);
    assert_true(header.payload_bytes == INT64_MAX);
    /* Not the shortest form, or beyond 2^63. */
    assert_int_equal(PARSE("\x81\x7e\x00\x7d", &header), -1);
    assert_int_equal(PARSE("\x81\x7e\x00\x00", &header), -1);
    assert_int_equal(PARSE("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", &header), -1);
    assert_int_equal(PARSE("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05", &header), -1);
    assert_int_equal(PARSE("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", &header), -1);
    assert_int_equal(PARSE("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", &header), -1);
}

/* Refused at the first two bytes, whatever the long length would say. */
TEST(test_control_frames_are_short)
{
    struct ws_header header;

    assert_int_equal(PARSE("\x88\x7d", &header), 2);
    assert_int_equal(PARSE("\x88\x7e", &header), -1);
    assert_int_equal(PARSE("\x89\x7e\x00\x7e", &header), -1);
    assert_int_equal(PARSE("\x8a\x7f", &header), -1);
    assert_int_equal(PARSE("\x08\x00", &header), -1);
    assert_int_equal(PARSE("\x09\x00", &header), -1);
}

TEST(test_more_is_needed)
{
    static const char word[] = "\x82\x7e\x01\x00";
    static const char quad[] = "\x02\x7f\x00\x00\x00\x01\x00\x00\x00\x00";
    struct ws_header header;

    for (size_t at = 0; at < 4; at++)
        assert_int_equal(parse(word, at, &header), 0);
    assert_int_equal(parse(word, 4, &header), 4);
    for (size_t at = 0; at < 10; at++)
        assert_int_equal(parse(quad, at, &header), 0);
    assert_int_equal(parse(quad, 10, &header), 10);
    assert_true(header.payload_bytes == UINT64_C(1) << 32);
    assert_false(header.final);
}

/* What is written is what a server must read: masked, shortest form. */
TEST(test_write)
{
    static const struct {
        size_t payload;
        size_t header;
    } cases[] = {{0, 6}, {1, 6}, {125, 6}, {126, 8}, {65535, 8}, {65536, 14}, {1u << 24, 14}};
    static const unsigned char mask[4] = {0xde, 0xad, 0xbe, 0xef};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[WS_HEADER_MAX];
        size_t length = ws_header_write(bytes, WS_BINARY, cases[i].payload, mask);
        struct ws_header header;

        assert_int_equal(length, cases[i].header);
        assert_int_equal(bytes[0], 0x82);
        assert_true((bytes[1] & 0x80) != 0);
        assert_memory_equal(bytes + length - 4, mask, 4);
        assert_int_equal(ws_header_parse(bytes, length, WS_FROM_CLIENT, &header), (int)length);
        assert_memory_equal(header.mask, mask, 4);
        assert_int_equal(header.opcode, WS_BINARY);
        assert_true(header.final);
        assert_int_equal(header.payload_bytes, cases[i].payload);
        /* A server's frame is the same without the mask. */
        length = ws_header_write(bytes, WS_BINARY, cases[i].payload, NULL);
        assert_int_equal(length, cases[i].header - 4);
        assert_int_equal(ws_header_parse(bytes, length, WS_FROM_SERVER, &header), (int)length);
        assert_int_equal(header.payload_bytes, cases[i].payload);
    }
}

TEST(test_mask)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    static const unsigned char hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455 section 5.7 */
    unsigned char plain[64], masked[64], expected[64];

    ws_mask(masked, (const unsigned char *)"Hello", 5, mask);
    assert_memory_equal(masked, hello, sizeof(hello));
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (unsigned char)(i * 7);
        expected[i] = plain[i] ^ mask[i % 4];
    }
    /* Every length around the word size, from an odd address as well; then in place. */
    for (size_t length = 0; length < sizeof(plain); length++) {
        memset(masked, 0xaa, sizeof(masked));
        ws_mask(masked, plain, length, mask);
        assert_memory_equal(masked, expected, length);
        assert_int_equal(masked[length], 0xaa);
        memset(masked, 0, sizeof(masked));
        memcpy(masked + 1, plain, length);
        ws_mask(masked + 1, masked + 1, length, mask);
        assert_memory_equal(masked + 1, expected, length);
    }
}

TEST(test_close_codes)
{
    for (unsigned code = 0; code <= 70000; code++) {
        bool valid =
            (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
            (code >= 3000 && code < 5000);

        assert_int_equal(ws_close_code_valid(code), valid);
    }
}

TEST(test_close_payloads)
{
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX];
    char text[200];
    unsigned code;

    memset(text, 'x', sizeof(text));
    assert_true(ws_close_read(payload, ws_close_write(payload, 0, text, 5), &code));
    assert_int_equal(code, 0);
    assert_int_equal(ws_close_write(payload, 4403, text, sizeof(text)), sizeof(payload));
    assert_true(ws_close_read(payload, sizeof(payload), &code));
    assert_int_equal(code, 4403);
    assert_int_equal(ws_close_write(payload, 1000, NULL, 0), 2);
    assert_false(ws_close_read(payload, 1, &code));
    payload[0] = 0;
    assert_false(ws_close_read(payload, 2, &code));
}

TEST(test_accept)
{
    char accept[WS_ACCEPT_SIZE];

    ws_accept_of("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455 section 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_accept_of("dGhlIHNhbXBsZSBub25jZR==", accept);
    assert_string_not_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
