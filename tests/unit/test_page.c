/* page.c: what is put into a page stays text, and its policy names exactly what is in it. */
#include "wire/page.h"

#include "base/secret.h"
#include "base/text.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct page_value denial[] = {
    {"title", "No <entry> & \"nothing\""},
    {"hint", "it's"},
    {"again", ""},
    {"command", "sidelock open x"},
    {"status", "401"},
    {"reason", "r"},
    {"detail", "d"},
    {"request", "1"},
};
static const struct page_value others[] = {{"surface", "</script>"}, {"command", "c"}};

/* The document of a page as text; the caller clears `out`. */
static const char *document(enum page page, struct buffer *out)
{
    bool is_denial = page == PAGE_DENIAL;

    buffer_init(out, PAGE_BYTES_MAX);
    page_write(page, "A & B", is_denial ? denial : others,
               is_denial ? sizeof(denial) / sizeof(*denial) : sizeof(others) / sizeof(*others),
               out);
    assert_false(buffer_failed(out));
    return out->data;
}

TEST(test_values_are_escaped)
{
    struct buffer out;
    const char *text = document(PAGE_DENIAL, &out);

    assert_non_null(strstr(text, "<title>A &amp; B</title>"));
    assert_non_null(strstr(text, "<h1>No &lt;entry&gt; &amp; &quot;nothing&quot;</h1>"));
    assert_non_null(strstr(text, "<p>it&#39;s "));
    buffer_clear(&out);
    text = document(PAGE_LOGIN, &out);
    assert_non_null(strstr(text, "Logging in to &lt;/script&gt;"));
    buffer_clear(&out);
}

TEST(test_a_value_is_missing)
{
    struct buffer out;

    buffer_init(&out, PAGE_BYTES_MAX);
    page_write(PAGE_DENIAL, "x", denial, 3, &out);
    assert_true(buffer_failed(&out));
    buffer_clear(&out);
}

/* The hash of what stands between the only `begin` and the `end` behind it is in the headers. */
static void expect_hashed(const char *text, const char *begin, const char *end, const char *headers,
                          const char *directive)
{
    const char *from = strstr(text, begin), *to;
    unsigned char digest[SHA256_BYTES];
    char base64[64], wanted[128];

    if (from == NULL) {
        assert_null(strstr(headers, directive));
        return;
    }
    from += strlen(begin);
    to = strstr(from, end);
    assert_non_null(to);
    assert_null(strstr(from, begin));
    secret_sha256(from, (size_t)(to - from), digest);
    text_base64(digest, sizeof(digest), base64);
    snprintf(wanted, sizeof(wanted), "; %s 'sha256-%s'", directive, base64);
    assert_non_null(strstr(headers, wanted));
}

TEST(test_policy_names_what_is_there)
{
    for (enum page page = PAGE_DENIAL; page <= PAGE_LOGOUT; page++) {
        struct buffer text, headers;

        document(page, &text);
        buffer_init(&headers, 4096);
        page_write_headers(page, &headers);
        assert_false(buffer_failed(&headers));
        expect_hashed(text.data, "<style>", "</style>", headers.data, "style-src");
        expect_hashed(text.data, "<script>", "</script>", headers.data, "script-src");
        assert_non_null(strstr(headers.data, "default-src 'none'"));
        assert_non_null(strstr(headers.data, "frame-ancestors 'none'"));
        assert_null(strstr(headers.data, "unsafe"));
        assert_null(strstr(text.data, "src="));
        buffer_clear(&text);
        buffer_clear(&headers);
    }
}
