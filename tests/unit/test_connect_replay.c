/* connect/message/letter.c and letter.c. */
#include <stddef.h>
#include <stdint.h>

#include "connect/message/letter.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct json_scan *scan;

static struct letter *letter_of(const char *text, uint64_t now_ms)
{
    char copy[512];
    struct rpc rpc;
    struct letter *letter;

    strcpy(copy, text);
    assert_int_equal(rpc_read(scan, copy, strlen(copy), &rpc), OK);
    letter = letter_create(span_of(copy), &rpc, now_ms);
    assert_non_null(letter);
    return letter;
}

static void keep(struct replay *replay, const char *text)
{
    char copy[512];
    struct rpc rpc;

    strcpy(copy, text);
    assert_int_equal(rpc_read(scan, copy, strlen(copy), &rpc), OK);
    replay_keep(replay, span_of(copy), &rpc);
}

/* Reads an answer to our own initialize with this result. */
static bool answer(struct replay *replay, const char *members)
{
    struct buffer text;
    struct rpc rpc;
    bool good;

    buffer_init(&text, 4096);
    buffer_append_format(&text, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}", replay->id, members);
    assert_int_equal(rpc_read(scan, text.data, text.length, &rpc), OK);
    assert_string_equal(rpc.id_key, replay->id);
    good = replay_answered(replay, &rpc);
    buffer_clear(&text);
    return good;
}

TEST(test_queue)
{
    struct letters queue;
    struct letter *first, *second;

    assert_int_equal(json_scan_create(&scan), OK);
    letters_init(&queue);
    assert_null(letters_take(&queue));
    first = letter_of("{\"id\":1,\"method\":\"a\"}", 1000);
    second = letter_of("{\"id\":\"1\",\"method\":\"b\"}", 2000);
    letters_append(&queue, second);
    letters_prepend(&queue, first);
    assert_int_equal(queue.bytes, first->length + second->length);
    assert_true(letters_have(&queue, "1") && letters_have(&queue, "\"1"));
    assert_false(letters_have(&queue, "2"));
    /* Held for as long as it says, and not longer; the younger stays. */
    assert_null(letters_take_expired(&queue, 1000 + LETTER_HOLD_MS));
    assert_ptr_equal(letters_take_expired(&queue, 1001 + LETTER_HOLD_MS), first);
    assert_null(letters_take_expired(&queue, 1001 + LETTER_HOLD_MS));
    assert_int_equal(queue.bytes, second->length);
    assert_false(letters_have(&queue, "1"));
    letter_destroy(first);
    letters_append(&queue, letter_of("{\"method\":\"c\"}", 0));
    assert_ptr_equal(letters_take(&queue), second);
    letter_destroy(second);
    letters_clear(&queue);
    assert_int_equal(queue.bytes, 0);
    json_scan_destroy(scan);
}

TEST(test_replayed)
{
    struct replay replay = {.initialize = NULL};
    struct letter *letter;
    char text[512];

    assert_int_equal(json_scan_create(&scan), OK);
    assert_int_equal(replay_init(&replay), OK);
    assert_null(replay_initialize(&replay, 7));
    assert_null(replay_initialized(&replay, 7));
    /* Neither another request, nor one that nobody could answer, nor one of the modern era. */
    keep(&replay, "{\"id\":1,\"method\":\"tools/list\"}");
    keep(&replay, "{\"method\":\"initialize\"}");
    keep(&replay, "{\"id\":1,\"method\":\"initialize\",\"params\":{\"_meta\":{"
                  "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}");
    assert_null(replay_initialize(&replay, 7));

    keep(&replay, "{\"id\":\"x\",\"method\":\"initialize\",\"params\":{\"id\":\"x\"}}");
    keep(&replay, "{\"method\":\"notifications/initialized\"}");
    letter = replay_initialize(&replay, 7);
    assert_non_null(letter);
    /* The id alone is another. */
    snprintf(text, sizeof(text), "{\"id\":%s,\"method\":\"initialize\",\"params\":{\"id\":\"x\"}}",
             replay.id);
    assert_string_equal(letter->bytes, text);
    assert_string_equal(letter->key, replay.id);
    assert_true(letter->replay && letter->initialize);
    assert_int_equal(letter->since_ms, 7);
    letter_destroy(letter);
    letter = replay_initialized(&replay, 8);
    assert_non_null(letter);
    assert_true(letter->replay && letter->initialized && letter->key[0] == '\0');
    letter_destroy(letter);

    /* A new initialize begins anew. */
    strcpy(replay.version, "2025-06-18");
    keep(&replay, "{\"id\":2,\"method\":\"initialize\"}");
    assert_string_equal(replay.version, "");
    assert_null(replay_initialized(&replay, 9));
    replay_clear(&replay);
    json_scan_destroy(scan);
}

TEST(test_answered)
{
    struct replay replay = {.initialize = NULL};

    assert_int_equal(json_scan_create(&scan), OK);
    assert_int_equal(replay_init(&replay), OK);
    assert_false(answer(&replay, "\"error\":{\"code\":1,\"message\":\"\"}"));
    assert_false(answer(&replay, "\"result\":{}"));
    assert_string_equal(replay.version, "");
    assert_true(answer(&replay, "\"result\":{\"protocolVersion\":\"2025-11-25\"}"));
    assert_string_equal(replay.version, "2025-11-25");
    assert_true(answer(&replay, "\"result\":{\"protocolVersion\":\"2025-11-25\"}"));
    assert_false(answer(&replay, "\"result\":{\"protocolVersion\":\"2025-06-18\"}"));
    assert_string_equal(replay.version, "2025-11-25");
    replay_clear(&replay);
    json_scan_destroy(scan);
}
