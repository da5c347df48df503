/* connect/message/lines.c and ledger.c, and how long pass.c waits. */
#include <stddef.h>
#include <stdint.h>

#include "connect/bridge/pass.h"
#include "connect/message/ledger.h"
#include "connect/message/lines.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 8

/* Feeds a text in pieces of `step` bytes; what comes out, with | after each line and ! for one too
 * long. */
static void split(const char *text, size_t step, char *out)
{
    struct lines lines;
    struct span line;
    size_t length = strlen(text);

    lines_init(&lines, LIMIT);
    *out = '\0';
    for (size_t at = 0; at < length;) {
        size_t part = length - at < step ? length - at : step, taken;
        enum lines_progress progress = lines_next(&lines, text + at, part, &taken, &line);

        assert_true(taken > 0 && taken <= part);
        at += taken;
        if (progress == LINES_LINE)
            sprintf(out + strlen(out), "%.*s|", (int)line.length, line.data);
        else if (progress == LINES_TOO_LONG)
            strcat(out, "!");
        else
            assert_true(progress == LINES_MORE);
    }
    if (lines_rest(&lines, &line))
        sprintf(out + strlen(out), "%.*s~", (int)line.length, line.data);
    assert_false(lines_rest(&lines, &line));
    lines_clear(&lines);
}

TEST(test_lines)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"\n", "|"},
        {"a\nbc\n", "a|bc|"},
        {"a\r\nb\rc\r\n", "a|b\rc|"},
        {"\r\n", "|"},
        {"12345678\n", "12345678|"},
        {"12345678\r\n", "12345678|"},
        {"123456789\n", "!"},
        {"123456789\nok\n", "!ok|"},
        {"1234567890123456789\n\nok\n", "!|ok|"},
        {"123456789", "!"},
        {"a\nrest", "a|rest~"},
        {"a\nrest\r", "a|rest~"},
    };
    char out[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 24; step++) {
            split(cases[i].text, step, out);
            assert_string_equal(out, cases[i].expected);
        }
    }
}

TEST(test_backoff)
{
    static const uint64_t whole[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct backoff least = {0}, most = {0};

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        assert_int_equal(backoff_next_ms(&least, 0), whole[i] / 2);
        assert_int_equal(backoff_next_ms(&most, (uint32_t)(whole[i] / 2)), whole[i]);
    }
    for (uint32_t i = 0; i < 1000000; i++)
        assert_true(backoff_next_ms(&most, i * 2654435761U) <= BACKOFF_MAX_MS);
    most = (struct backoff){0};
    assert_true(backoff_next_ms(&most, 12345) <= BACKOFF_FIRST_MS);
}

static struct rpc request(const char *id, const char *method)
{
    struct rpc rpc = {.kind = RPC_REQUEST, .id = span_of(id)};

    snprintf(rpc.id_key, sizeof(rpc.id_key), "%s", id);
    snprintf(rpc.method, sizeof(rpc.method), "%s", method);
    return rpc;
}

TEST(test_ledger)
{
    static struct ledger ledger;
    struct ledger_entry entry;
    struct rpc rpc = request("1", "initialize");
    char id[16];

    assert_int_equal(ledger_add(&ledger, &rpc), OK);
    assert_int_equal(ledger_add(&ledger, &rpc), ERROR_EXISTS);
    rpc = request("2", "tools/list");
    assert_int_equal(ledger_add(&ledger, &rpc), OK);
    for (int i = 3; i <= LEDGER_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        rpc = request(id, "x");
        assert_int_equal(ledger_add(&ledger, &rpc), OK);
    }
    rpc = request("one more", "x");
    assert_int_equal(ledger_add(&ledger, &rpc), ERROR_LIMIT);
    assert_true(ledger_take(&ledger, "1", &entry));
    assert_int_equal(entry.lesson, LEDGER_INITIALIZE);
    assert_false(ledger_take(&ledger, "1", NULL));
    assert_int_equal(ledger_find(&ledger, "2")->lesson, LEDGER_TOOLS);
    assert_null(ledger_find(&ledger, "1"));
    assert_int_equal(ledger_add(&ledger, &rpc), OK);
    assert_string_equal(ledger.entries[0].id, "2"); /* the oldest stays first */
}
