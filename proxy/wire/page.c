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

static const char head[] = "<!doctype html>\n"
                           "<html lang=\"en\">\n"
                           "<head>\n"
                           "<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n"
                           "<title>";

static const char brand[] =
    "<p class=\"brand\"><svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" "
    "stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">"
    "<rect x=\"4\" y=\"10\" width=\"16\" height=\"11\" rx=\"2.5\"/>"
    "<path d=\"M8 10V7a4 4 0 0 1 8 0v3M12 14.5v2\"/></svg>Sidelock</p>\n";

static void append_escaped(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buffer_append_text(out, "&amp;");
            break;
        case '<':
            buffer_append_text(out, "&lt;");
            break;
        case '>':
            buffer_append_text(out, "&gt;");
            break;
        case '"':
            buffer_append_text(out, "&quot;");
            break;
        case '\'':
            buffer_append_text(out, "&#39;");
            break;
        default:
            buffer_append(out, text, 1);
        }
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

    buffer_append_text(out, head);
    append_escaped(out, title);
    buffer_append_text(out, "</title>\n<style>");
    buffer_append_text(out, page_style_css);
    buffer_append_text(out, "</style>\n</head>\n<body>\n<main>\n");
    buffer_append_text(out, brand);
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
                            "Referrer-Policy: no-referrer\r\n"
                            "Cross-Origin-Opener-Policy: same-origin\r\n"
                            "Cross-Origin-Resource-Policy: same-origin\r\n"
                            "X-Frame-Options: DENY\r\n");
}
