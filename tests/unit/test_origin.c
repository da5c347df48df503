/* origin.c: the names of a surface, and whose pages may ask it. */
#include "admission_cases.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char studio[] = "Studio";

static void fill(struct text_list *list, const char *const *items)
{
    for (; *items != NULL; items++)
        assert_int_equal(text_list_add(list, *items, strlen(*items)), OK);
}

static void expect(enum reason given, enum reason wanted)
{
    assert_string_equal(reason_info(given)->code, reason_info(wanted)->code);
}

TEST(test_default_hosts)
{
    struct surface surface = {0};

    for (size_t i = 0; i < sizeof(host_cases) / sizeof(host_cases[0]); i++) {
        enum reason reason = admission_host(&surface, host_cases[i].listener, host_cases[i].value);

        if (reason != (host_cases[i].good ? REASON_ALLOWED : REASON_HOST_MISMATCH))
            fail_msg("%s on %s: %s", host_cases[i].value, host_cases[i].listener->address,
                     reason_info(reason)->code);
    }
    expect(admission_host(&surface, &v4, NULL), REASON_MALFORMED);
}

TEST(test_configured_hosts)
{
    struct surface surface = {0};

    fill(&surface.hosts, (const char *[]){"gate.example", "other.example:9000", "[fe80::1]", NULL});
    expect(admission_host(&surface, &v4, "gate.example:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "GATE.example:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "other.example:9000"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "[fe80::1]:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &http, "gate.example"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "gate.example"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "gate.example:9000"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "other.example:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &http, "other.example"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "[fe80::1]"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "a.gate.example:8081"), REASON_HOST_MISMATCH);
    /* A list replaces the defaults. */
    expect(admission_host(&surface, &v4, "localhost:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "127.0.0.1:8081"), REASON_HOST_MISMATCH);
    text_list_clear(&surface.hosts);
}

TEST(test_default_origins)
{
    struct surface surface = {0};

    for (size_t i = 0; i < sizeof(origin_cases) / sizeof(origin_cases[0]); i++) {
        enum reason reason =
            admission_origin(&surface, origin_cases[i].listener, origin_cases[i].value);

        if (reason != (origin_cases[i].good ? REASON_ALLOWED : REASON_ORIGIN_MISMATCH))
            fail_msg("%s: %s", origin_cases[i].value, reason_info(reason)->code);
    }
    expect(admission_origin(&surface, &v4, NULL), REASON_ALLOWED); /* not a browser */
}

TEST(test_configured_origins)
{
    struct surface surface = {0};

    fill(&surface.origins, (const char *[]){"https://studio.example", "http://a.example:1", NULL});
    expect(admission_origin(&surface, &v4, "https://studio.example"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://a.example:1"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, NULL), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://studio.example:443"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://studio.example/"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://x.studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://Studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "http://localhost:8081"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "null"), REASON_ORIGIN_MISMATCH);
    text_list_clear(&surface.origins);
    /* Without origins, those of the configured hosts. */
    fill(&surface.hosts, (const char *[]){"gate.example", NULL});
    expect(admission_origin(&surface, &v4, "http://gate.example:8081"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://localhost:8081"), REASON_ORIGIN_MISMATCH);
    text_list_clear(&surface.hosts);
}

/* A surface's own name below .localhost, in lower case, if it can be one. */
TEST(test_own_host)
{
    static char longest[] = "a23456789012345678901234567890123456789012345678901234567890123";
    static char too_long[] = "a234567890123456789012345678901234567890123456789012345678901234";
    const struct {
        char *name;
        const char *host;
    } cases[] = {
        {studio, "studio.localhost"},
        {(char[]){"x"}, "x.localhost"},
        {(char[]){"a-1"}, "a-1.localhost"},
        {(char[]){"1"}, "1.localhost"},
        {longest, NULL},
        {too_long, NULL},
        {(char[]){"a."}, NULL},
        {(char[]){"a.b"}, NULL},
        {(char[]){"a_b"}, NULL},
        {(char[]){"a-"}, NULL},
        {(char[]){"-a"}, NULL},
        {(char[]){""}, NULL},
        {NULL, NULL},
    };
    char out[ADMISSION_OWN_HOST_SIZE], expected[ADMISSION_OWN_HOST_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct surface surface = {.name = cases[i].name};

        if (cases[i].name == longest) {
            assert_true(admission_own_host(&surface, out));
            snprintf(expected, sizeof(expected), "%s.localhost", longest);
            assert_string_equal(out, expected);
        } else if (cases[i].host != NULL) {
            assert_true(admission_own_host(&surface, out));
            assert_string_equal(out, cases[i].host);
        } else {
            assert_false(admission_own_host(&surface, out));
        }
    }
}

TEST(test_own_host_is_a_default)
{
    struct surface surface = {.name = studio};

    expect(admission_host(&surface, &v4, "studio.localhost:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "STUDIO.localhost:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &http, "studio.localhost"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://studio.localhost:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "studio.localhost"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "studio.localhost.:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "other.localhost:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "a.studio.localhost:8081"), REASON_HOST_MISMATCH);
    expect(admission_origin(&surface, &v4, "http://Studio.localhost:8081"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "http://other.localhost:8081"), REASON_ORIGIN_MISMATCH);
    fill(&surface.hosts, (const char *[]){"gate.example", NULL});
    expect(admission_host(&surface, &v4, "studio.localhost:8081"), REASON_HOST_MISMATCH);
    text_list_clear(&surface.hosts);
}

/* With TLS the scheme is https and the usual port 443. */
TEST(test_tls)
{
    static const struct admission_listener https = {"127.0.0.1", 443};
    struct surface_tls tls = {0};
    struct surface surface = {.name = studio, .tls = &tls};

    expect(admission_origin(&surface, &v4, "https://localhost:8081"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://localhost:8081"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &https, "https://studio.localhost"), REASON_ALLOWED);
    expect(admission_host(&surface, &https, "localhost"), REASON_ALLOWED);
    expect(admission_host(&surface, &http, "localhost"), REASON_HOST_MISMATCH);
}

TEST(test_cookie_origin)
{
    struct surface surface = {.name = studio};

    for (size_t i = 0; i < sizeof(cookie_cases) / sizeof(cookie_cases[0]); i++) {
        const struct cookie_case *asked = &cookie_cases[i];
        struct request request = {.method = asked->method,
                                  .upgrade = asked->upgrade,
                                  .host = "Studio.localhost:8081",
                                  .origin = asked->origin,
                                  .fetch_site = asked->site,
                                  .referer = asked->referer};
        enum reason reason = admission_cookie_origin(&surface, &v4, &request);

        if (reason != (asked->good ? REASON_ALLOWED : REASON_COOKIE_ORIGIN))
            fail_msg("case %zu: %s", i, reason_info(reason)->code);
        /* Where the origin is all there is, it must be there. */
        reason = admission_own_origin(&surface, &v4, &request);
        if (reason !=
            (asked->good && asked->origin != NULL ? REASON_ALLOWED : REASON_COOKIE_ORIGIN))
            fail_msg("case %zu, origin alone: %s", i, reason_info(reason)->code);
    }
}

/* Another origin that the configuration permits may bring a token, but not ride on the cookie. */
TEST(test_cookie_with_configured_origins)
{
    struct surface surface = {.name = studio};
    struct request request = {.method = "POST", .host = "gate.example"};

    fill(&surface.hosts, (const char *[]){"gate.example:443", "gate.example:80", NULL});
    fill(&surface.origins, (const char *[]){"https://gate.example", "http://app.example", NULL});
    request.origin = "https://gate.example";
    expect(admission_cookie_origin(&surface, &http, &request), REASON_ALLOWED);
    request.origin = "http://app.example";
    expect(admission_cookie_origin(&surface, &http, &request), REASON_COOKIE_ORIGIN);
    request.origin = "http://gate.example";
    expect(admission_cookie_origin(&surface, &http, &request), REASON_COOKIE_ORIGIN);
    text_list_clear(&surface.hosts);
    text_list_clear(&surface.origins);
}
