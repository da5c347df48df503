/* wire_format.c: every step checks its bounds, and a text is a text. */
#include "ipc/wire_format.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static unsigned char room[IPC_MESSAGE_BYTES_MAX];

static struct ipc_reader read_back(const struct ipc_writer *writer)
{
    return (struct ipc_reader){.bytes = writer->bytes, .length = writer->length};
}

TEST(test_round_trip)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_reader reader;
    char copy[6];

    ipc_put_number(&writer, 0xfe, 1);
    ipc_put_number(&writer, 1, 1);
    ipc_put_number(&writer, 0, 1);
    ipc_put_number(&writer, UINT32_MAX, 4);
    ipc_put_number(&writer, UINT64_C(0x0123456789abcdef), 8);
    ipc_put_text(&writer, NULL);
    ipc_put_text(&writer, "");
    ipc_put_text(&writer, "hello");
    ipc_put_text(&writer, "again");
    assert_false(writer.failed);

    reader = read_back(&writer);
    assert_int_equal(ipc_get_number(&reader, 1), 0xfe);
    assert_true(ipc_get_bool(&reader));
    assert_false(ipc_get_bool(&reader));
    assert_int_equal(ipc_get_number(&reader, 4), UINT32_MAX);
    assert_true(ipc_get_number(&reader, 8) == UINT64_C(0x0123456789abcdef));
    assert_null(ipc_get_text(&reader));
    assert_false(reader.failed); /* NULL is a value */
    assert_string_equal(ipc_get_text(&reader), "");
    assert_string_equal(ipc_get_text(&reader), "hello");
    assert_false(ipc_reader_done(&reader));
    ipc_get_text_into(&reader, copy, sizeof(copy));
    assert_string_equal(copy, "again");
    assert_true(ipc_reader_done(&reader));
    assert_int_equal(ipc_get_number(&reader, 1), 0); /* one too many */
    assert_false(ipc_reader_done(&reader));
}

/* A message cut anywhere fails, once and for good, and never reads behind the cut. */
TEST(test_cut)
{
    struct ipc_writer writer = {.bytes = room};

    ipc_put_number(&writer, 7, 4);
    ipc_put_text(&writer, "text");
    ipc_put_number(&writer, 9, 8);
    for (size_t length = 0; length < writer.length; length++) {
        unsigned char *cut = malloc(length > 0 ? length : 1);
        struct ipc_reader reader = {.bytes = cut, .length = length};

        assert_non_null(cut);
        memcpy(cut, room, length);
        ipc_get_number(&reader, 4);
        ipc_get_text(&reader);
        ipc_get_number(&reader, 8);
        assert_true(reader.failed);
        assert_int_equal(ipc_get_number(&reader, 1), 0);
        assert_null(ipc_get_text(&reader));
        assert_false(ipc_reader_done(&reader));
        free(cut);
    }
}

TEST(test_trailing_byte)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_reader reader;

    ipc_put_number(&writer, 7, 4);
    ipc_put_number(&writer, 0, 1);
    reader = read_back(&writer);
    ipc_get_number(&reader, 4);
    assert_false(ipc_reader_done(&reader));
    ipc_get_number(&reader, 1);
    assert_true(ipc_reader_done(&reader));
}

static bool is_text(const void *bytes, size_t length)
{
    unsigned char *copy = malloc(length);
    struct ipc_reader reader = {.bytes = copy, .length = length};
    bool good;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    good = ipc_get_text(&reader) != NULL && !reader.failed;
    assert_true(good || reader.failed);
    free(copy);
    return good;
}

TEST(test_forged_texts)
{
    struct {
        uint32_t length;
        char bytes[4];
    } text = {3, {'a', 'b', 'c', '\0'}};

    assert_true(is_text(&text, sizeof(text)));
    text.bytes[3] = 'd'; /* without its NUL */
    assert_false(is_text(&text, sizeof(text)));
    text.bytes[3] = '\0';
    text.bytes[1] = '\0'; /* another NUL inside */
    assert_false(is_text(&text, sizeof(text)));
    text.bytes[1] = 'b';
    text.length = 2; /* its NUL not where the length says */
    assert_false(is_text(&text, sizeof(text)));
    text.length = 4; /* longer than the message */
    assert_false(is_text(&text, sizeof(text)));
    text.length = 0x7fffffff;
    assert_false(is_text(&text, sizeof(text)));
    text.length = UINT32_MAX - 1; /* the longest there is beside NULL */
    assert_false(is_text(&text, sizeof(text)));
    text.length = 3;
    assert_false(is_text(&text, sizeof(text) - 1));
}

TEST(test_bool_is_0_or_1)
{
    for (unsigned value = 0; value < 256; value++) {
        unsigned char byte = (unsigned char)value;
        struct ipc_reader reader = {.bytes = &byte, .length = 1};

        assert_int_equal(ipc_get_bool(&reader), value == 1);
        assert_int_equal(reader.failed, value > 1);
    }
}

TEST(test_text_into)
{
    struct ipc_writer writer = {.bytes = room};
    struct ipc_reader reader;
    char copy[5];

    ipc_put_text(&writer, "1234");
    reader = read_back(&writer);
    ipc_get_text_into(&reader, copy, sizeof(copy));
    assert_string_equal(copy, "1234");
    assert_true(ipc_reader_done(&reader));

    writer = (struct ipc_writer){.bytes = room};
    ipc_put_text(&writer, "12345");
    reader = read_back(&writer);
    ipc_get_text_into(&reader, copy, sizeof(copy));
    assert_true(reader.failed);
    assert_string_equal(copy, "");

    writer = (struct ipc_writer){.bytes = room};
    ipc_put_text(&writer, NULL);
    reader = read_back(&writer);
    ipc_get_text_into(&reader, copy, sizeof(copy));
    assert_true(reader.failed);
    assert_string_equal(copy, "");
}

TEST(test_writer_is_full)
{
    static char text[IPC_MESSAGE_BYTES_MAX + 1];
    struct ipc_writer writer = {.bytes = room, .length = IPC_MESSAGE_BYTES_MAX - 8};

    ipc_put_number(&writer, 1, 8);
    assert_false(writer.failed);
    assert_int_equal(writer.length, IPC_MESSAGE_BYTES_MAX);
    ipc_put_number(&writer, 1, 1);
    assert_true(writer.failed);
    assert_int_equal(writer.length, IPC_MESSAGE_BYTES_MAX);

    writer = (struct ipc_writer){.bytes = room, .length = IPC_MESSAGE_BYTES_MAX - 3};
    ipc_put_number(&writer, 1, 4);
    ipc_put_number(&writer, 1, 1); /* it would fit, but the message is spoilt */
    assert_true(writer.failed);
    assert_int_equal(writer.length, IPC_MESSAGE_BYTES_MAX - 3);

    memset(text, 'a', IPC_MESSAGE_BYTES_MAX);
    writer = (struct ipc_writer){.bytes = room};
    ipc_put_text(&writer, text + 5); /* 4 of length and a NUL: exactly full */
    assert_false(writer.failed);
    assert_int_equal(writer.length, IPC_MESSAGE_BYTES_MAX);
    writer = (struct ipc_writer){.bytes = room};
    ipc_put_text(&writer, text + 4);
    assert_true(writer.failed);
    writer = (struct ipc_writer){.bytes = room};
    ipc_put_text(&writer, text);
    assert_true(writer.failed);
}
