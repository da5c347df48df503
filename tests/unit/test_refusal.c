/* refusal.c: what a refused message is answered with, and that it stays JSON. */
#include "vet/refusal.h"

#include "unit.h"
#include "vet/vet.h"

#include <string.h>

#include <jansson.h>

#define DETAIL "refused by Sidelock: "

/* The text of a refusal, parsed; the caller's. */
static json_t *parsed(struct buffer *out)
{
    json_t *value;

    assert_false(buffer_failed(out));
    value = json_loadb(out->data, out->length, JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL)
        fail_msg("no JSON: %s", out->data);
    buffer_clear(out);
    return value;
}

static void expect_error(const json_t *value, enum reason reason)
{
    const json_t *error = json_object_get(value, "error");
    const char *text = json_string_value(json_object_get(error, "message"));

    assert_int_equal(json_integer_value(json_object_get(error, "code")), VET_REFUSAL_CODE);
    assert_memory_equal(text, DETAIL, strlen(DETAIL));
    assert_string_equal(text + strlen(DETAIL), reason_info(reason)->text);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(error, "data"), "reason")),
        reason_info(reason)->code);
}

/* Whatever a reason says, the refusal is JSON. */
TEST(test_json_rpc_of_every_reason)
{
    for (enum reason reason = REASON_INTERNAL; reason < REASON_COUNT; reason++) {
        struct buffer out;
        json_t *value;

        buffer_init(&out, 4096);
        refusal_append_json_rpc(&out, span_of("\"a-1\""), reason);
        value = parsed(&out);
        assert_string_equal(json_string_value(json_object_get(value, "jsonrpc")), "2.0");
        assert_string_equal(json_string_value(json_object_get(value, "id")), "a-1");
        expect_error(value, reason);
        json_decref(value);
    }
}

TEST(test_without_an_id)
{
    struct buffer out;
    json_t *value;

    buffer_init(&out, 4096);
    refusal_append_json_rpc(&out, (struct span){0}, REASON_VERB_REFUSED);
    value = parsed(&out);
    assert_true(json_is_null(json_object_get(value, "id")));
    json_decref(value);
}

/* DevTools: no "jsonrpc", and the session to which the command belonged. */
TEST(test_bare_with_a_session)
{
    static char key[] = "sessionId";
    struct vocabulary vocabulary = {.bare = true, .session_key = key};
    struct message message = {.id = span_of("7"), .session = span_of("\"S\"")};
    struct buffer out;
    json_t *value;

    buffer_init(&out, 4096);
    refusal_append_vocabulary(&out, &vocabulary, &message, REASON_VERB_REFUSED);
    value = parsed(&out);
    assert_null(json_object_get(value, "jsonrpc"));
    assert_int_equal(json_integer_value(json_object_get(value, "id")), 7);
    assert_string_equal(json_string_value(json_object_get(value, "sessionId")), "S");
    expect_error(value, REASON_VERB_REFUSED);
    json_decref(value);

    vocabulary.bare = false;
    message.session = (struct span){0};
    buffer_init(&out, 4096);
    refusal_append_vocabulary(&out, &vocabulary, &message, REASON_VERB_REFUSED);
    value = parsed(&out);
    assert_string_equal(json_string_value(json_object_get(value, "jsonrpc")), "2.0");
    assert_null(json_object_get(value, "sessionId"));
    json_decref(value);
}

TEST(test_typed)
{
    struct buffer out;
    json_t *value;

    buffer_init(&out, 4096);
    refusal_append_typed(&out,
                         "{\"type\":\"error\",\"op\":\"$verb\",\"error\":\"$reason\",\"n\":1}",
                         span_of("a \"quoted\" \\ verb\n"), REASON_TARGET_REFUSED);
    value = parsed(&out);
    assert_string_equal(json_string_value(json_object_get(value, "op")), "a \"quoted\" \\ verb\n");
    assert_non_null(strstr(json_string_value(json_object_get(value, "error")),
                           reason_info(REASON_TARGET_REFUSED)->code));
    assert_int_equal(json_object_size(value), 4);
    json_decref(value);
}
