/* errand.c: what broker and parent say to each other is exactly that, or nothing. */
#include "ipc/errand.h"

#include "unit.h"

#include <string.h>

static unsigned char bytes[IPC_MESSAGE_BYTES_MAX];

TEST(test_comes_back)
{
    struct ipc_writer writer = {.bytes = bytes};

    for (unsigned kind = ERRAND_NONE + 1; kind < ERRAND_KIND_COUNT; kind++) {
        struct errand said = {.kind = kind, .place = 7, .number = 0xfffffffe, .text = "studio"};
        struct errand heard;

        errand_encode(&writer, &said);
        assert_false(writer.failed);
        assert_int_equal(errand_decode(bytes, writer.length, &heard), OK);
        assert_int_equal(heard.kind, kind);
        assert_true(heard.place == 7 || heard.place == 0);
        assert_true(heard.number == 0xfffffffe || heard.number == 0);
        assert_true(heard.text == NULL || strcmp(heard.text, "studio") == 0);
        /* Neither shorter nor longer. */
        for (size_t length = 0; length < writer.length; length++)
            assert_int_equal(errand_decode(bytes, length, &heard), ERROR_SYNTAX);
        bytes[writer.length] = 0;
        assert_int_equal(errand_decode(bytes, writer.length + 1, &heard), ERROR_SYNTAX);
    }
}

TEST(test_unknown)
{
    struct errand heard;

    for (unsigned kind = 0; kind < 256; kind++) {
        bytes[0] = (unsigned char)kind;
        if (kind == ERRAND_NONE || kind >= ERRAND_KIND_COUNT)
            assert_int_equal(errand_decode(bytes, 1, &heard), ERROR_SYNTAX);
    }
}

/* A name with a NUL in it, and none at all. */
TEST(test_text)
{
    const struct errand listen = {.kind = ERRAND_LISTEN, .text = "ab"};
    struct ipc_writer writer = {.bytes = bytes};
    struct errand heard;

    errand_encode(&writer, &listen);
    bytes[writer.length - 2] = '\0';
    assert_int_equal(errand_decode(bytes, writer.length, &heard), ERROR_SYNTAX);
    writer.length = 0;
    ipc_put_number(&writer, ERRAND_LISTEN, 1);
    ipc_put_number(&writer, 0, 4);
    ipc_put_text(&writer, NULL);
    assert_int_equal(errand_decode(bytes, writer.length, &heard), ERROR_SYNTAX);
}
