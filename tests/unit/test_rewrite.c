/* rewrite.c: which URLs of an answer are rewritten, and that nothing else is. */
#include "vet/rewrite.h"

#include "scan_fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct route_answer keeping, stripping = {.strip_query = true};

static int set_up(void **state)
{
    if (text_list_add(&keeping.urls, "url", 3) != OK ||
        text_list_add(&stripping.urls, "url", 3) != OK)
        return -1;
    return scan_set_up(state);
}

static int tear_down(void **state)
{
    text_list_clear(&keeping.urls);
    text_list_clear(&stripping.urls);
    return scan_tear_down(state);
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

/* Rewrites in exactly measured memory; the result, or NULL for an unchanged answer. */
static char *rewrite(const struct route_answer *route, bool secure, const char *text)
{
    struct rewrite_addresses addresses = {NULL, "localhost", "127.0.0.1:9222", secure};
    size_t length = strlen(text);
    char *copy = malloc(length), *result = NULL;
    struct buffer out;

    assert_non_null(copy);
    memcpy(copy, text, length);
    buffer_init(&out, length + 256);
    assert_int_equal(rewrite_answer(scan, route, &addresses, (struct span){copy, length}, &out),
                     REASON_ALLOWED);
    if (out.length > 0)
        result = strdup(out.data);
    buffer_clear(&out);
    free(copy);
    return result;
}

struct answer_case {
    const char *text;
    const char *kept;     /* without strip_query, over plain HTTP; NULL: unchanged */
    const char *stripped; /* with it, over TLS */
};

static const struct answer_case cases[] = {
    {"{\"url\":\"ws://localhost/devtools/page/1\",\"n\": 1.0e1}",
     "{\"url\":\"ws://127.0.0.1:9222/devtools/page/1\",\"n\": 1.0e1}",
     "{\"url\":\"wss://127.0.0.1:9222/devtools/page/1\",\"n\": 1.0e1}"},
    {"[ {\"id\":1, \"url\" : \"WSS://LOCALHOST/a?b=c#d\"} ,\n{\"url\":\"http:\\/\\/localhost\"}, 5 "
     "]",
     "[ {\"id\":1, \"url\" : \"ws://127.0.0.1:9222/a?b=c#d\"} ,\n"
     "{\"url\":\"http://127.0.0.1:9222\"}, 5 ]",
     "[ {\"id\":1, \"url\" : \"wss://127.0.0.1:9222/a#d\"} ,\n"
     "{\"url\":\"https://127.0.0.1:9222\"}, 5 ]"},
    {"{\"url\":\"https://localhost?x\"}", "{\"url\":\"http://127.0.0.1:9222?x\"}",
     "{\"url\":\"https://127.0.0.1:9222\"}"},
    {"{\"\\u0075rl\":\"ws://localhost/\"}", "{\"\\u0075rl\":\"ws://127.0.0.1:9222/\"}",
     "{\"\\u0075rl\":\"wss://127.0.0.1:9222/\"}"},
    {"{\"url\":\"/api/mcp/ws/1?server_params=e30=\"}", NULL, "{\"url\":\"/api/mcp/ws/1\"}"},
    {"{\"url\":\"/a\\u003fb\"}", NULL, "{\"url\":\"/a\"}"},
    {"{\"url\":\"?a\"}", NULL, "{\"url\":\"\"}"},
    {"{\"url\":\"/a#b?c\"}", NULL, NULL},
    {"{\"url\":\"/\\u00e9\"}", NULL, NULL},
    {"{\"url\":\"\"}", NULL, NULL},
    /* Addresses of others, or of nobody. */
    {"{\"url\":\"ws://localhost:1/a\"}", NULL, NULL},
    {"{\"url\":\"ws://localhost.example/a\"}", NULL, NULL},
    {"{\"url\":\"ws://localhost@example/a\"}", NULL, NULL},
    {"{\"url\":\"ws://user@localhost/a\"}", NULL, NULL},
    {"{\"url\":\"ftp://localhost/a\"}", NULL, NULL},
    {"{\"url\":\"ws:localhost/a\"}", NULL, NULL},
    {"{\"url\":\"/a://localhost/\"}", NULL, NULL},
    {"{\"url\":\"ws://example/?x\"}", NULL, "{\"url\":\"ws://example/\"}"},
    /* Members of other names, elsewhere, or of another type. */
    {"{\"URL\":\"ws://localhost/?a\",\"urls\":\"ws://localhost/?a\"}", NULL, NULL},
    {"{\"a\":{\"url\":\"ws://localhost/?a\"}}", NULL, NULL},
    {"[[{\"url\":\"ws://localhost/?a\"}]]", NULL, NULL},
    {"{\"url\":[\"ws://localhost/?a\"]}", NULL, NULL},
    {"{\"url\":null}", NULL, NULL},
    {"[]", NULL, NULL},
};

static void check(size_t i, const struct route_answer *route, bool secure, const char *expected)
{
    char *result = rewrite(route, secure, cases[i].text);

    if ((result != NULL) != (expected != NULL) || (result != NULL && strcmp(result, expected) != 0))
        fail_msg("%s: %s", cases[i].text, result != NULL ? result : "unchanged");
    free(result);
}

TEST(test_answers)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check(i, &keeping, false, cases[i].kept);
        check(i, &stripping, true, cases[i].stripped);
    }
}

TEST(test_not_json)
{
    static const char *const texts[] = {"", "<html>", "{\"url\":\"a\",\"url\":\"b\"}", "\"url\"",
                                        "{\"url\":\"ws://localhost/\"} x"};
    struct rewrite_addresses addresses = {NULL, "localhost", "127.0.0.1", false};
    struct buffer out;

    buffer_init(&out, 256);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_false(
            reason_allows(rewrite_answer(scan, &keeping, &addresses, span_of(texts[i]), &out)));
        assert_int_equal(out.length, 0);
    }
    buffer_clear(&out);
}

TEST(test_no_room)
{
    static const char text[] = "{\"url\":\"ws://localhost/\"}";
    struct rewrite_addresses addresses = {NULL, "localhost", "127.0.0.1:9222", false};
    struct buffer out;

    for (size_t room = 0; room < sizeof(text) + 4; room++) {
        buffer_init(&out, room);
        assert_int_equal(rewrite_answer(scan, &keeping, &addresses, span_of(text), &out),
                         REASON_JSON_REWRITTEN);
        buffer_clear(&out);
    }
    buffer_init(&out, sizeof(text) + 4);
    assert_int_equal(rewrite_answer(scan, &keeping, &addresses, span_of(text), &out),
                     REASON_ALLOWED);
    buffer_clear(&out);
}

TEST(test_odd_text)
{
    static const struct json_limits generous = {512, 1000, 1000, 1000, false};
    static const struct rewrite_addresses addresses = {&generous, "localhost", "127.0.0.1:9222",
                                                       false};
    struct buffer out;

    buffer_init(&out, 256);
    assert_int_equal(rewrite_answer(scan, &stripping, &addresses,
                                    span_of("{\"title\":\"\\ud83d\",\"url\":\"ws://a/b\"}"), &out),
                     REASON_ALLOWED);
    assert_int_equal(rewrite_answer(scan, &stripping, &addresses,
                                    span_of("{\"url\":\"ws://localhost/\\ud83d?token\"}"), &out),
                     REASON_JSON_SURROGATE);
    buffer_clear(&out);
}
