/* salvage.c: whose message it was, in one piece and in every cut of it. */
#include "vet/salvage.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum message_kind kind;
    const char *id, *key; /* as written, and to compare by; NULL: none */
} cases[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":NaN}", MESSAGE_RESPONSE, "7", "7"},
    {"{\"result\":[[{\"id\":1}]],\"id\" : 8 }", MESSAGE_RESPONSE, "8", "8"},
    {"{\"id\":\"a\\u0062\",\"error\":{", MESSAGE_RESPONSE, "\"a\\u0062\"", "\"ab\""},
    {"{\"id\":1,\"method\":\"ping\"}", MESSAGE_REQUEST, "1", "1"},
    {"{\"method\":\"ping\",\"params\":{\"id\":1}}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"x\":\"\\\"id\\\":1,\\\\\",\"id\":2}", MESSAGE_RESPONSE, "2", "2"},
    {"{\"x\":{\"a\":\"}\"},\"id\":3}", MESSAGE_RESPONSE, "3", "3"},
    /* Two ids, one that is cut, one that nobody has, or none at all. */
    {"{\"id\":1,\"id\":2}", MESSAGE_OTHER, NULL, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":1", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":\"1", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":null,\"result\":1}", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":1.5,\"result\":1}", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":{},\"result\":1}", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":x1,\"result\":1}", MESSAGE_OTHER, NULL, NULL},
    {"{\"result\":1,\"id\"", MESSAGE_OTHER, NULL, NULL},
    {"{\"result\":,\"id\":1}", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":}", MESSAGE_OTHER, NULL, NULL},
    {"{\"id\":,\"method\":\"ping\"}", MESSAGE_OTHER, NULL, NULL},
    {"{\"method\":}", MESSAGE_OTHER, NULL, NULL},
    {"[{\"id\":1}]", MESSAGE_OTHER, NULL, NULL},
    {"not JSON", MESSAGE_OTHER, NULL, NULL},
    {"", MESSAGE_OTHER, NULL, NULL},
    /* What would be no JSON in an answer to whoever wrote it. */
    {"{\"id\":\"a\nb\",\"method\":\"ping\"}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"id\":\"\x01\",\"method\":\"ping\"}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"id\":\"\\q\",\"method\":\"ping\"}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"id\":\"\\u0000\",\"method\":\"ping\"}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"id\":\"\xc3\",\"method\":\"ping\"}", MESSAGE_NOTIFICATION, NULL, NULL},
    {"{\"id\":\"\xc3\xa9\",\"method\":\"ping\"}", MESSAGE_REQUEST, "\"\xc3\xa9\"", "\"\xc3\xa9\""},
};

static void check_span(const char *text, struct span got, const char *expected)
{
    if (expected == NULL ? got.data != NULL : !span_equals(got, expected))
        fail_msg("%s: %.*s", text, (int)got.length, got.data != NULL ? got.data : "");
}

TEST(test_in_every_cut)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        size_t length = strlen(text);

        for (size_t cut = 1; cut <= length + 1; cut++) {
            struct salvage salvage = {.place = SALVAGE_START};
            struct message message;

            for (size_t at = 0; at < length; at += cut)
                salvage_read(&salvage,
                             (struct span){text + at, cut < length - at ? cut : length - at});
            salvage_message(&salvage, &message);
            if (message.kind != cases[i].kind)
                fail_msg("%s in pieces of %zu: kind %d", text, cut, (int)message.kind);
            check_span(text, message.id, cases[i].id);
            check_span(text, message.id_key, cases[i].key);
        }
    }
}

/* An id has its limit, and what is longer is not taken for what it begins with. */
TEST(test_long_ids)
{
    char text[256];

    for (int digits = MESSAGE_ID_BYTES_MAX - 1; digits <= MESSAGE_ID_BYTES_MAX + 4; digits++) {
        struct salvage salvage = {.place = SALVAGE_START};
        struct message message;
        int length = snprintf(text, sizeof(text), "{\"id\":\"%0*d\",\"result\":1}", digits, 1);

        salvage_read(&salvage, (struct span){text, (size_t)length});
        salvage_message(&salvage, &message);
        assert_int_equal(message.id.data != NULL, digits <= MESSAGE_ID_BYTES_MAX);
    }
}
