#include "wire/page.h"

#include "base/secret.h"
#include "base/text.h"
#include "wire/pages.h"

#include <string.h>

#define HASH_SIZE (4 * ((SHA256_BYTES + 2) / 3) + 1) /* base64, with its NUL */

static const struct source {
    const char *body;
    const char *script; /* NULL: none */
} sources[] = {
    [PAGE_DENIAL] = {page_denial_html, NULL},
    [PAGE_LOGIN] = {page_login_html, page_login_js},
    [PAGE_LOGOUT] = {page_logout_html, page_logout_js},
};

static void append_escaped(struct buffer *out, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

    for (; *text != '\0'; text++) {
        const char *found = strchr(special, *text);

        if (found != NULL)
            buffer_append_text(out, entities[found - special]);
        else
            buffer_append(out, text, 1);
    }
}

static const char *value_of(struct span name, const struct page_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equals(name, values[i].name))
            return values[i].text;
    }
    return NULL;
}

/* Copies a body; {name} becomes its value. */
static void expand(const char *body, const struct page_value *values, size_t count,
                   struct buffer *out)
{
    for (;;) {
        size_t plain = strcspn(body, "{"), length;
        const char *value;

        buffer_append(out, body, plain);
        body += plain;
        if (*body == '\0')
            return;
        length = strcspn(++body, "}");
        value = value_of((struct span){body, length}, values, count);
        if (value == NULL || body[length] == '\0') {
            out->failed = true;
            return;
        }
        append_escaped(out, value);
        body += length + 1;
    }
}

void page_write(enum page page, const char *title, const struct page_value *values, size_t count,
                struct buffer *out)
{
    const struct source *source = &sources[page];

    expand(page_head_html, &(struct page_value){"title", title}, 1, out);
    buffer_append_text(out, "<style>");
    buffer_append_text(out, page_style_css);
    buffer_append_text(out, "</style>\n</head>\n<body>\n<main>\n");
    buffer_append_text(out, page_brand_html);
    expand(source->body, values, count, out);
    buffer_append_text(out, "</main>\n");
    if (source->script != NULL) {
        buffer_append_text(out, "<script>");
        buffer_append_text(out, source->script);
        buffer_append_text(out, "</script>\n");
    }
    buffer_append_text(out, "</body>\n</html>\n");
}

/* CSP Level 3 section 2.3.1, hash-source: of the text between the tags as it was compiled in. */
static void append_source(struct buffer *out, const char *directive, const char *text)
{
    unsigned char digest[SHA256_BYTES];
    char base64[HASH_SIZE];

    secret_sha256(text, strlen(text), digest);
    text_base64(digest, sizeof(digest), base64);
    buffer_append_format(out, "; %s 'sha256-%s'", directive, base64);
}

void page_write_headers(enum page page, struct buffer *out)
{
    const struct source *source = &sources[page];

    buffer_append_text(out, "Content-Type: text/html; charset=utf-8\r\n"
                            "Content-Security-Policy: default-src 'none'");
    append_source(out, "style-src", page_style_css);
    if (source->script != NULL) {
        append_source(out, "script-src", source->script);
        buffer_append_text(out, "; connect-src 'self'");
    }
    buffer_append_text(out, "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                            "Referrer-Policy: same-origin\r\n"
                            "Cross-Origin-Opener-Policy: same-origin\r\n"
                            "Cross-Origin-Resource-Policy: same-origin\r\n"
                            "X-Frame-Options: DENY\r\n");
}
