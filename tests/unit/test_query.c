/* query.c: of a client's query nothing reaches the service but what is named. */
#include "config/pattern.h"
#include "policy/admission.h"
#include "unit.h"
#include "wire/url.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES_MAX  (192 * 1024)
#define RANDOM_QUERIES 10000

static char name_run[] = "run", name_mode[] = "mode", name_both[] = "a&b=c d";
static char name_params[] = "server_params", name_text[] = "label";

static struct query_pass pass_of(const char *name, const char *pattern)
{
    struct query_pass pass = {.name = (char *)(uintptr_t)name};
    char why[CONFIG_PATTERN_WHY_SIZE];

    assert_int_equal(config_pattern_compile(pattern, &pass.pattern, why), OK);
    return pass;
}

static void expect(const struct route *route, const char *query, const struct params *params,
                   enum reason wanted, const char *text)
{
    struct buffer out;
    enum reason reason;

    buffer_init(&out, OUT_BYTES_MAX);
    reason = admission_query(route, query, params, &out);
    if (reason != wanted)
        fail_msg("%s: %s", query != NULL ? query : "(none)", reason_info(reason)->code);
    if (reason_allows(reason))
        assert_string_equal(out.length > 0 ? out.data : "", text);
    buffer_wipe(&out);
}

static struct params *parse(const char *json)
{
    struct params *params;

    assert_int_equal(params_parse(json, strlen(json), &params), OK);
    return params;
}

TEST(test_nothing_passes_by_default)
{
    static const char *const queries[] = {
        "",
        "a",
        "server_params=eyJ0eXBlIjoiU3RkaW9TZXJ2ZXJQYXJhbXMifQ==",
        "server_params=a&server_params=b",
        "%73erver_params=x",
        "Server_Params=x",
        "=&=&&",
        "a=%zz&%=%",
        "a=%00&%00=b",
        "a=%0d%0aHost:%20x",
        "a;server_params=x",
        "a?server_params=x",
    };
    struct route route = {0};

    expect(&route, NULL, NULL, REASON_ALLOWED, "");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        expect(&route, queries[i], NULL, REASON_ALLOWED, "");
}

TEST(test_pass)
{
    struct query_pass pass[] = {pass_of(name_run, "^([0-9]+)$"), pass_of(name_mode, "^(.*)$"),
                                pass_of(name_both, "^(x)$")};
    struct route route = {.pass = pass, .pass_count = 3};

    expect(&route, "run=12", NULL, REASON_ALLOWED, "run=12");
    expect(&route, "x=1&run=12&y=2", NULL, REASON_ALLOWED, "run=12");
    expect(&route, "mode=a&run=1", NULL, REASON_ALLOWED, "mode=a&run=1");
    expect(&route, "r%75n=%312", NULL, REASON_ALLOWED, "run=12");
    expect(&route, "mode", NULL, REASON_ALLOWED, "mode=");
    expect(&route, "mode=", NULL, REASON_ALLOWED, "mode=");
    expect(&route, "Run=x&RUN=y&run2=z&ru=w&run%00=v", NULL, REASON_ALLOWED, "");
    expect(&route, "run+=1&+run=2", NULL, REASON_ALLOWED, "");
    /* Encoded anew, so that a value stays one value and a name one name. */
    expect(&route, "mode=a%26server_params%3Dx", NULL, REASON_ALLOWED,
           "mode=a%26server_params%3Dx");
    expect(&route, "mode=a;b=c?d/e", NULL, REASON_ALLOWED, "mode=a%3Bb%3Dc%3Fd%2Fe");
    expect(&route, "mode=a+b%2Bc", NULL, REASON_ALLOWED, "mode=a%20b%2Bc");
    expect(&route, "mode=%c3%a9%25", NULL, REASON_ALLOWED, "mode=%C3%A9%25");
    expect(&route, "a%26b=c%20d=x", NULL, REASON_ALLOWED, ""); /* its name is "a&b" */
    expect(&route, "a%26b%3Dc+d=x", NULL, REASON_ALLOWED, "a%26b%3Dc%20d=x");
    for (size_t i = 0; i < 3; i++)
        config_pattern_destroy(pass[i].pattern);
}

TEST(test_pass_refuses)
{
    struct query_pass pass[] = {pass_of(name_run, "^([0-9]+)$"), pass_of(name_mode, "^(.*)$")};
    struct route route = {.pass = pass, .pass_count = 2};

    expect(&route, "run", NULL, REASON_QUERY_INVALID, NULL);
    expect(&route, "run=", NULL, REASON_QUERY_INVALID, NULL);
    expect(&route, "run=1a", NULL, REASON_QUERY_INVALID, NULL);
    expect(&route, "run=+1", NULL, REASON_QUERY_INVALID, NULL);
    expect(&route, "run=1%0a", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "run=1%00", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "run=1%00a", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "run=%", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "run=%3", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "mode=%zz", NULL, REASON_QUERY_ENCODING, NULL);
    expect(&route, "mode=%c0%af", NULL, REASON_QUERY_ENCODING, NULL);
    /* A name twice: one server takes the first, another the last. */
    assert_string_equal(admission_query_refused(&route, "mode=a&run=1a"), "run");
    assert_null(admission_query_refused(&route, "mode=a&run=1&other=%"));
    expect(&route, "run=1&run=1", NULL, REASON_QUERY_TWICE, NULL);
    expect(&route, "run=1&r%75n=2", NULL, REASON_QUERY_TWICE, NULL);
    expect(&route, "mode=a&run=1&mode", NULL, REASON_QUERY_TWICE, NULL);
    for (size_t i = 0; i < 2; i++)
        config_pattern_destroy(pass[i].pattern);
}

TEST(test_long_names_and_values)
{
    static char query[8192], expected[8192], name[256];
    struct query_pass pass[2];
    struct route route = {.pass = pass, .pass_count = 2};

    memset(name, 'n', 255);
    pass[0] = pass_of(name, "^(1)$");
    pass[1] = pass_of(name_mode, "^(.*)$");
    snprintf(query, sizeof(query), "%s=1", name);
    expect(&route, query, NULL, REASON_ALLOWED, query);
    snprintf(query, sizeof(query), "%sn=1", name);
    expect(&route, query, NULL, REASON_ALLOWED, "");

    memset(query, 'v', 4095 + 5);
    memcpy(query, "mode=", 5);
    query[4095 + 5] = '\0';
    expect(&route, query, NULL, REASON_ALLOWED, query);
    query[4095 + 5] = 'v';
    query[4095 + 6] = '\0';
    expect(&route, query, NULL, REASON_QUERY_ENCODING, NULL);
    /* Too long where nobody looks: merely dropped. */
    memcpy(query, "mide=", 5);
    expect(&route, query, NULL, REASON_ALLOWED, "");
    snprintf(expected, sizeof(expected), "mode=x");
    strcat(query, "&mode=x");
    expect(&route, query, NULL, REASON_ALLOWED, expected);
    config_pattern_destroy(pass[0].pattern);
    config_pattern_destroy(pass[1].pattern);
}

/* The one value of a query, decoded as the service would. */
static void decode_only(const struct buffer *out, const char *name, char *value, size_t capacity)
{
    struct span rest = {out->data, out->length}, raw_name, raw_value;

    assert_true(url_query_next(&rest, &raw_name, &raw_value));
    assert_true(span_equals(raw_name, name));
    assert_int_equal(url_query_decode(raw_value, value, capacity), OK);
    assert_false(url_query_next(&rest, &raw_name, &raw_value));
}

/* Base64 has '+', '/' and '=', which mean something else in a query. */
TEST(test_inject_base64)
{
    static const char json[] = "{\"b\":[\"\\u00ff\\u00ff>>>???\"],\"a\":\"~~~~>>>???\"}";
    static const char canonical[] = "{\"a\":\"~~~~>>>???\",\"b\":[\"\xc3\xbf\xc3\xbf>>>???\"]}";
    char pointer[] = "";
    struct query_inject inject = {name_params, pointer, INJECT_BASE64_JSON};
    struct route route = {.inject = &inject, .inject_count = 1};
    struct params *params = parse(json);
    char value[512], expected[512];
    struct buffer out;

    buffer_init(&out, OUT_BYTES_MAX);
    expect(&route, NULL, NULL, REASON_PARAMS_REQUIRED, NULL);
    assert_int_equal(admission_query(&route, "server_params=theirs", params, &out), REASON_ALLOWED);
    assert_null(strpbrk(out.data + sizeof(name_params), "+/= &"));
    assert_non_null(strstr(out.data, "%2B"));
    assert_non_null(strstr(out.data, "%2F"));
    assert_non_null(strstr(out.data, "%3D"));
    decode_only(&out, name_params, value, sizeof(value));
    text_base64((const unsigned char *)canonical, sizeof(canonical) - 1, expected);
    assert_string_equal(value, expected);
    buffer_wipe(&out);
    params_destroy(params);
}

TEST(test_inject_parts)
{
    char whole[] = "", text[] = "/t", number[] = "/n", part[] = "/o", none[] = "/none",
         empty[] = "/e";
    struct params *params =
        parse("{\"t\":\"a b&c=%/\\u20ac\",\"n\":1,\"e\":\"\",\"o\":{\"y\":[1,{}],\"x\":\"#\"}}");
    struct query_inject inject[2] = {{name_text, text, INJECT_TEXT},
                                     {name_params, part, INJECT_JSON}};
    struct route route = {.inject = inject, .inject_count = 2};

    expect(&route, "label=theirs&server_params=theirs", params, REASON_ALLOWED,
           "label=a%20b%26c%3D%25%2F%E2%82%AC"
           "&server_params=%7B%22x%22%3A%22%23%22%2C%22y%22%3A%5B1%2C%7B%7D%5D%7D");
    inject[1].from = none;
    expect(&route, NULL, params, REASON_PARAMS_REQUIRED, NULL);
    route.inject_count = 1;
    inject[0].from = number; /* not a text */
    expect(&route, NULL, params, REASON_PARAMS_REQUIRED, NULL);
    inject[0].from = whole;
    expect(&route, NULL, params, REASON_PARAMS_REQUIRED, NULL);
    inject[0].from = empty;
    expect(&route, NULL, params, REASON_ALLOWED, "label=");
    params_destroy(params);
}

TEST(test_pass_and_inject)
{
    char whole[] = "";
    struct query_pass pass = pass_of(name_run, "^([0-9]+)$");
    struct query_inject inject = {name_params, whole, INJECT_JSON};
    struct route route = {.pass = &pass, .pass_count = 1, .inject = &inject, .inject_count = 1};
    struct params *params = parse("{}");

    expect(&route, "server_params=x&run=1", params, REASON_ALLOWED, "run=1&server_params=%7B%7D");
    expect(&route, "run=x", params, REASON_QUERY_INVALID, NULL);
    expect(&route, "run=1", NULL, REASON_PARAMS_REQUIRED, NULL);
    params_destroy(params);
    config_pattern_destroy(pass.pattern);
}

TEST(test_what_does_not_fit)
{
    struct query_pass pass = pass_of(name_mode, "^(.*)$");
    struct route route = {.pass = &pass, .pass_count = 1};
    struct buffer out;

    buffer_init(&out, 8);
    assert_int_equal(admission_query(&route, "mode=abc", NULL, &out), REASON_ALLOWED);
    buffer_wipe(&out);
    assert_int_equal(admission_query(&route, "mode=abcd", NULL, &out), REASON_QUERY_TOO_LONG);
    buffer_wipe(&out);
    config_pattern_destroy(pass.pattern);
}

/* Whatever the client sends, the service gets the record's value and no byte besides. */
TEST(test_random_queries)
{
    static const char *const pieces[] = {"server_params",
                                         "=",
                                         "&",
                                         "%26",
                                         "%3D",
                                         "%73",
                                         "e",
                                         "r",
                                         "?",
                                         "+",
                                         "%",
                                         "%00",
                                         "%0a",
                                         ";",
                                         "eyJ9",
                                         "#",
                                         "%zz",
                                         "\xff",
                                         "server_params=e30%3D",
                                         "[",
                                         "]",
                                         "a"};
    char whole[] = "", query[2048];
    struct query_inject inject = {name_params, whole, INJECT_BASE64_JSON};
    struct route route = {.inject = &inject, .inject_count = 1};
    struct params *params = parse("{\"command\":\"/bin/true\"}");

    srandom(1);
    for (unsigned i = 0; i < RANDOM_QUERIES; i++) {
        unsigned count = (unsigned)random() % 24;

        query[0] = '\0';
        for (unsigned j = 0; j < count; j++)
            strcat(query, pieces[(size_t)random() % (sizeof(pieces) / sizeof(pieces[0]))]);
        expect(&route, query, params, REASON_ALLOWED,
               "server_params=eyJjb21tYW5kIjoiL2Jpbi90cnVlIn0%3D");
    }
    params_destroy(params);
}

static void expect_bearer(const char *query, const char *wanted)
{
    struct route route = {.query_bearer = (char *)(uintptr_t) "token"};
    char token[ADMISSION_BEARER_SIZE];
    bool found = admission_query_bearer(&route, query, token, sizeof(token));

    if (found != (wanted != NULL))
        fail_msg("%s", query != NULL ? query : "(no query)");
    if (wanted != NULL)
        assert_string_equal(token, wanted);
}

TEST(test_bearer)
{
    static char query[ADMISSION_BEARER_SIZE + 8];
    char token[ADMISSION_BEARER_SIZE];
    struct route none = {0};

    expect_bearer("token=abc", "abc");
    expect_bearer("a=1&token=abc&b=2", "abc");
    expect_bearer("t%6Fken=a%2Eb", "a.b");
    expect_bearer("token=AZaz09-._~%2B%2F==", "AZaz09-._~+/==");
    /* What a page sends that has none. */
    expect_bearer(NULL, NULL);
    expect_bearer("", NULL);
    expect_bearer("token", NULL);
    expect_bearer("token=", NULL);
    expect_bearer("token=null", NULL);
    expect_bearer("token=undefined", NULL);
    expect_bearer("Token=abc&tokens=abc&atoken=abc", NULL);
    /* Twice: one service would take the first, another the last. */
    expect_bearer("token=abc&token=abc", NULL);
    expect_bearer("token=abc&t%6Fken=", NULL);
    expect_bearer("token=null&token=abc", NULL);
    /* What would be more than a token in a header (RFC 6750 section 2.1). */
    expect_bearer("token=a+b", NULL);
    expect_bearer("token=a%20b", NULL);
    expect_bearer("token=a%0d%0aX-Admin:%201", NULL);
    expect_bearer("token=a%00", NULL);
    expect_bearer("token=a,b", NULL);
    expect_bearer("token==", NULL);
    expect_bearer("token=a=b", NULL);
    expect_bearer("token=%C3%A9", NULL);
    expect_bearer("token=%zz", NULL);
    memset(query, 'x', sizeof(query) - 1);
    memcpy(query, "token=", 6);
    expect_bearer(query, NULL);
    query[6 + ADMISSION_BEARER_SIZE - 1] = '\0';
    expect_bearer(query, query + 6);
    assert_false(admission_query_bearer(&none, "token=abc", token, sizeof(token)));
}
