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
    /* Its clients print `data` behind the message, as it is. */
    assert_string_equal(json_string_value(json_object_get(json_object_get(value, "error"), "data")),
                        reason_info(REASON_VERB_REFUSED)->code);
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

static void expect_lost(enum reason reason, int code, const char *what)
{
    static char verb[] = "notifications/cancelled", key[] = "requestId";
    const struct vocabulary vocabulary = {.cancel_verb = verb, .cancel_key = key};
    const struct outstanding_request request = {.id = span_of("\"a\"b\"")};
    struct buffer out;
    json_t *value;
    const json_t *error;

    buffer_init(&out, 4096);
    refusal_append_lost(&out, &vocabulary, &request, reason);
    value = parsed(&out);
    error = json_object_get(value, "error");
    assert_string_equal(json_string_value(json_object_get(value, "id")), "a\"b");
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_memory_equal(json_string_value(json_object_get(error, "message")), what, strlen(what));
    json_decref(value);
    buffer_init(&out, 4096);
    refusal_append_cancel(&out, &vocabulary, &request, reason);
    value = parsed(&out);
    assert_string_equal(json_string_value(json_object_get(value, "method")), verb);
    assert_null(json_object_get(value, "id"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(value, "params"), key)),
                        "a\"b");
    json_decref(value);
}

/* What waits is told whose fault it is: the answer's, or that there is none. */
TEST(test_lost)
{
    for (enum reason reason = REASON_INTERNAL; reason < REASON_COUNT; reason++) {
        if (reason_is_of_message(reason))
            expect_lost(reason, VET_REFUSAL_CODE, "answer refused by Sidelock: ");
        else
            expect_lost(reason, VET_LOST_CODE, "no answer, says Sidelock: ");
    }
    assert_true(reason_is_of_message(REASON_MESSAGE_TOO_BIG));
    assert_true(reason_is_of_message(REASON_JSON_SYNTAX));
    assert_false(reason_is_of_message(REASON_UPSTREAM_GONE));
    assert_false(reason_is_of_message(REASON_SESSION_REVOKED));
}

TEST(test_no_word_for_cancelling)
{
    const struct vocabulary vocabulary = {.bare = true};
    struct buffer out;

    buffer_init(&out, 4096);
    refusal_append_cancel(&out, &vocabulary, &(struct outstanding_request){.id = span_of("1")},
                          REASON_CLIENT_CLOSED);
    assert_int_equal(out.length, 0);
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
