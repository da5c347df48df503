/*
 * Any bytes as the head of a request or of an answer, forwarded: what the other
 * side is sent is one well-formed head, announces exactly the body that it
 * should, holds no header that may not pass, and does not change if it is
 * forwarded again. The first byte chooses the options, the second how the body
 * is announced.
 */
#include "wire/http_forward.h"

#include "fuzz.h"

#include <string.h>
#include <strings.h>

#define HOST          "svc:80"
#define START         "POST /judged?q HTTP/1.1\r\nHost: " HOST "\r\n"
#define OUT_BYTES_MAX (4 * HTTP_HEAD_BYTES_MAX)

enum { CHOICE_ANSWER = 1, CHOICE_PUBLIC = 2, CHOICE_IDENTITY = 4, CHOICE_READMIT = 8 };

static char readmitted[] = "x-forwarded-proto";
static char *readmit_items[] = {readmitted};
static const struct text_list readmit = {.items = readmit_items, .count = 1};

static bool begins(struct span span, const char *prefix)
{
    return span.length >= strlen(prefix) && strncasecmp(span.data, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equals_nocase(name, names[i]))
            return true;
    }
    return false;
}

static bool framed(struct span name)
{
    return span_equals_nocase(name, "content-length") ||
           span_equals_nocase(name, "transfer-encoding");
}

static bool of_the_hop(struct span name)
{
    static const char *const names[] = {"connection", "keep-alive", "te",
                                        "trailer",    "upgrade",    "http2-settings"};

    return is_one_of(name, names, sizeof(names) / sizeof(names[0])) || begins(name, "proxy-");
}

/* Whether a list of cookies names one that a gate would take; "=x=1" names x to some. */
static bool holds_login(struct span cookies)
{
    bool named = false; /* behind the beginning of a name */

    for (size_t i = 0; i < cookies.length; i++) {
        struct span rest = {cookies.data + i, cookies.length - i};

        if (rest.data[0] == ';')
            named = false;
        else if (!named && strchr("= \t", rest.data[0]) == NULL) {
            named = true;
            if (begins(rest, "sidelock-") || begins(rest, "__Host-sidelock-") ||
                begins(rest, "__Secure-sidelock-"))
                return true;
        }
    }
    return false;
}

static struct http_body announced_by(uint8_t choice)
{
    switch (choice % 4) {
    case 0:
        return (struct http_body){.done = true};
    case 1:
        return (struct http_body){.kind = HTTP_BODY_CHUNKED};
    case 2:
        return (struct http_body){
            .kind = HTTP_BODY_LENGTH, .left = choice, .length = choice, .has_length = true};
    default:
        return (struct http_body){.done = true, .has_length = true, .length = choice};
    }
}

/* ---- Requests ---- */

static void check_request_field(uint8_t choice, const struct http_request *request,
                                const struct http_field *field, bool last)
{
    static const char *const never[] = {"host",      "expect", "authorization",    "forwarded",
                                        "x-real-ip", "via",    "x-method-override"};
    struct span name = field->name;
    char *text = text_copy(name);

    require(text != NULL && memchr(name.data, '_', name.length) == NULL);
    require(!of_the_hop(name) && !is_one_of(name, never, sizeof(never) / sizeof(never[0])));
    require(!begins(name, "x-original-") && !begins(name, "x-rewrite-") &&
            !begins(name, "x-http-method"));
    require(!begins(name, "x-forwarded-") ||
            ((choice & CHOICE_READMIT) != 0 && span_equals_nocase(name, readmitted)));
    require(!framed(name) || last);
    if (!framed(name) && !span_equals_nocase(name, "accept-encoding"))
        require(!http_fields_have_token(&request->fields, "connection", text));
    if ((choice & CHOICE_PUBLIC) == 0) {
        require(!span_equals_nocase(name, "referer"));
        require(!span_equals_nocase(name, "origin") || span_equals(field->value, "http://" HOST));
    }
    if ((choice & CHOICE_IDENTITY) != 0)
        require(!span_equals_nocase(name, "accept-encoding") ||
                span_equals(field->value, "identity"));
    if (span_equals_nocase(name, "cookie"))
        require(field->value.length > 0 && !holds_login(field->value));
    free(text);
}

/* The body that is announced is the one that was to be, and no other. */
static void check_announced(const struct http_body *body, const struct http_request *sent)
{
    struct http_body read;

    require(reason_allows(http_body_of_request(sent, true, &read)));
    require(read.kind == body->kind && read.left == body->left);
}

static enum reason forward_request(uint8_t choice, const struct http_body *body,
                                   const struct http_request *request, struct buffer *out)
{
    enum reason reason;

    buffer_init(out, OUT_BYTES_MAX);
    buffer_append_text(out, START);
    reason = http_forward_request(
        &(struct http_forward_request_options){.host = HOST,
                                               .host_public = (choice & CHOICE_PUBLIC) != 0,
                                               .identity_encoding = (choice & CHOICE_IDENTITY) != 0,
                                               .readmit =
                                                   (choice & CHOICE_READMIT) != 0 ? &readmit : NULL,
                                               .body = body},
        request, out);
    buffer_append_text(out, "\r\n");
    require(!buffer_failed(out));
    return reason;
}

static void try_request(uint8_t choice, const struct http_body *body, const char *bytes,
                        size_t length)
{
    struct http_request request, sent;
    struct buffer out, again;
    enum reason reason;

    if (http_request_parse(bytes, length, &request, &reason) != HTTP_COMPLETE)
        return;
    reason = forward_request(choice, body, &request, &out);
    require(reason_allows(reason) || reason == REASON_CONNECTION_NAMES);
    if (reason_allows(reason)) {
        enum http_progress progress = http_request_parse(out.data, out.length, &sent, &reason);

        /* It may have grown a little: Host, Accept-Encoding, the framing, a space a header. */
        require(progress == HTTP_COMPLETE ||
                (progress == HTTP_FAULT && reason == REASON_HEADERS_TOO_LARGE));
        if (progress == HTTP_COMPLETE) {
            require(sent.head_bytes == out.length);
            require(span_equals(sent.method, "POST") && span_equals(sent.path, "/judged") &&
                    span_equals(sent.query, "q"));
            require(sent.fields.count > 0 && span_equals(sent.fields.list[0].name, "Host") &&
                    span_equals(sent.fields.list[0].value, HOST));
            for (size_t i = 1; i < sent.fields.count; i++)
                check_request_field(choice, &request, &sent.fields.list[i],
                                    i + 1 == sent.fields.count);
            check_announced(body, &sent);
            require(reason_allows(forward_request(choice, body, &sent, &again)));
            require(again.length == out.length && memcmp(again.data, out.data, out.length) == 0);
            buffer_clear(&again);
        }
    }
    buffer_clear(&out);
}

/* ---- Answers ---- */

/* Goes past the service's own address, if the URL has that; else false. */
static bool cut_address(struct span *url)
{
    size_t at = begins(*url, "http:") ? strlen("http:") : 0;
    struct span rest = {url->data + at, url->length - at};

    if (!begins(rest, "//" HOST))
        return false;
    at += strlen("//" HOST);
    *url = (struct span){url->data + at, url->length - at};
    return url->length == 0 || strchr("/?#", url->data[0]) != NULL;
}

static bool ends(struct span span, struct span end)
{
    return span.length >= end.length &&
           (end.length == 0 ||
            memcmp(span.data + span.length - end.length, end.data, end.length) == 0);
}

/* As it was sent, or without the service's own address, which is all that may be cut. */
static void check_location(const struct http_response *response, const struct http_field *field)
{
    struct span url = field->value, rest = url;
    bool known = false;

    require(!cut_address(&rest));
    for (size_t i = 0; i < response->fields.count && !known; i++) {
        struct span value = response->fields.list[i].value;

        if (cut_address(&value))
            known = ends(url, value) && url.length > 0 && url.data[0] == '/' &&
                    (url.length == 1 || (url.data[1] != '/' && url.data[1] != '\\'));
        else
            known = response->fields.list[i].value.length == url.length &&
                    ends(url, response->fields.list[i].value);
    }
    require(known);
}

static void check_answer_field(const struct http_response *response, bool closes,
                               const struct http_field *field)
{
    struct span name = field->name, cookie = field->value;
    const char *end = cookie.length > 0 ? memchr(cookie.data, ';', cookie.length) : NULL;

    if (span_equals_nocase(name, "connection"))
        require(closes && span_equals(field->value, "close"));
    else
        require(!of_the_hop(name));
    require(!span_equals_nocase(name, "alt-svc") && !span_equals_nocase(name, "refresh"));
    if (end != NULL)
        cookie.length = (size_t)(end - cookie.data);
    require(!span_equals_nocase(name, "set-cookie") || !holds_login(cookie));
    if (span_equals_nocase(name, "location") || span_equals_nocase(name, "content-location"))
        check_location(response, field);
}

static enum reason forward_answer(bool close, const struct http_body *body,
                                  const struct http_response *response, struct buffer *out)
{
    buffer_init(out, OUT_BYTES_MAX);
    return http_forward_response(
        &(struct http_forward_response_options){.host = HOST, .body = body, .close = close},
        response, out);
}

static void check_answer(bool close, const struct http_body *body,
                         const struct http_response *response, const struct buffer *out)
{
    struct http_response sent;
    struct http_body read;
    struct buffer again;
    enum http_progress progress = http_response_parse(out->data, out->length, &sent);
    bool bare = response->status < 200 || response->status == 204;

    if (progress == HTTP_FAULT) { /* it may have grown, too */
        require(response->head_bytes + 256 > HTTP_HEAD_BYTES_MAX ||
                response->fields.count + 2 > HTTP_FIELDS_MAX);
        return;
    }
    require(progress == HTTP_COMPLETE && sent.head_bytes == out->length);
    require(sent.status == response->status && !sent.http_1_0);
    for (size_t i = 0; i < sent.fields.count; i++)
        check_answer_field(response, close, &sent.fields.list[i]);
    require(reason_allows(http_body_of_response(&sent, span_of("GET"), &read)));
    require(read.closes || !close);
    require(!bare || (!read.has_length && read.kind == HTTP_BODY_NONE));
    if (!bare && response->status != 304 && body->kind != HTTP_BODY_NONE)
        require(read.kind == body->kind && read.left == body->left);
    require(reason_allows(forward_answer(close, body, &sent, &again)));
    require(again.length == out->length && memcmp(again.data, out->data, out->length) == 0);
    buffer_clear(&again);
}

static void try_answer(bool close, const struct http_body *body, const char *bytes, size_t length)
{
    struct http_response response;
    struct buffer out;
    enum reason reason;

    if (http_response_parse(bytes, length, &response) != HTTP_COMPLETE)
        return;
    reason = forward_answer(close, body, &response, &out);
    require(reason_allows(reason) || reason == REASON_ANSWER_HEAD);
    require(!buffer_failed(&out));
    if (reason_allows(reason))
        check_answer(close, body, &response, &out);
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 2;
    struct http_body body;

    if (size < 2)
        return 0;
    body = announced_by(data[1]);
    if ((data[0] & CHOICE_ANSWER) != 0)
        try_answer((data[0] & CHOICE_PUBLIC) != 0, &body, bytes, size - 2);
    else
        try_request(data[0], &body, bytes, size - 2);
    return 0;
}
