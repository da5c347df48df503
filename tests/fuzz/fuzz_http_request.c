/*
 * Any bytes as a request: the parser decides once. A prefix of a request that
 * is complete needs more, one of a request that is refused is never complete,
 * and everything that was understood lies within the bytes.
 */
#include "wire/http_head.h"

#include "fuzz.h"

#include <string.h>

#define PREFIXES_MAX 256

static void check_span(struct span span, const char *bytes, size_t length)
{
    require(span.data >= bytes && span.data + span.length <= bytes + length);
}

/* What the rest of the program takes for granted about a request that parsed. */
static void check_complete(const struct http_request *request, const char *bytes, size_t length)
{
    require(request->head_bytes <= length && request->head_bytes <= HTTP_HEAD_BYTES_MAX);
    require(memcmp(bytes + request->head_bytes - 4, "\r\n\r\n", 4) == 0);
    require(http_is_token(request->method));
    check_span(request->path, bytes, request->head_bytes);
    require(request->path.length > 0 && request->path.data[0] == '/');
    require(memchr(request->path.data, '?', request->path.length) == NULL);
    if (request->query.data != NULL) {
        check_span(request->query, bytes, request->head_bytes);
        require(request->query.data == request->path.data + request->path.length + 1);
    }
    require(request->fields.count <= HTTP_FIELDS_MAX);
    for (size_t i = 0; i < request->fields.count; i++) {
        struct span value = request->fields.list[i].value;

        require(http_is_token(request->fields.list[i].name));
        check_span(request->fields.list[i].name, bytes, request->head_bytes);
        check_span(value, bytes, request->head_bytes);
        for (size_t j = 0; j < value.length; j++) {
            unsigned char c = (unsigned char)value.data[j];

            require((c >= 0x20 && c != 0x7f) || (c == '\t' && j > 0 && j + 1 < value.length));
        }
    }
}

static void check_lookups(const struct http_request *request, const char *bytes)
{
    for (size_t i = 0; i < request->fields.count; i++) {
        char *name = text_copy(request->fields.list[i].name);
        struct span value, list = request->fields.list[i].value, element;
        enum reason reason;

        require(name != NULL);
        reason = http_fields_single(&request->fields, name, &value);
        require(reason == REASON_ALLOWED || reason == REASON_HEADER_DUPLICATE);
        if (reason_allows(reason))
            require(value.data == request->fields.list[i].value.data);
        while (http_list_next(&list, &element)) {
            char *token = text_copy(element);

            require(token != NULL && element.length > 0);
            check_span(element, bytes, request->head_bytes);
            require(http_fields_have_token(&request->fields, name, token));
            free(token);
        }
        free(name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct http_request whole, part;
    enum reason reason = REASON_ALLOWED, earlier;
    enum http_progress progress = http_request_parse(bytes, size, &whole, &reason);
    size_t step = size / PREFIXES_MAX + 1;
    bool refused = false;

    require(progress != HTTP_FAULT || reason_same(reason, REASON_MALFORMED) ||
            reason_same(reason, REASON_HTTP_VERSION) ||
            reason_same(reason, REASON_HEADERS_TOO_LARGE));
    require(progress != HTTP_MORE || size < HTTP_HEAD_BYTES_MAX);
    for (size_t at = 0; at <= size; at += step) {
        enum http_progress now = http_request_parse(bytes, at, &part, &earlier);

        require(!refused || now == HTTP_FAULT);
        refused = now == HTTP_FAULT;
        if (now == HTTP_COMPLETE)
            require(progress == HTTP_COMPLETE && at >= whole.head_bytes &&
                    part.head_bytes == whole.head_bytes && part.fields.count == whole.fields.count);
        else if (now == HTTP_FAULT)
            require(progress == HTTP_FAULT && earlier == reason);
        else
            require(progress != HTTP_COMPLETE || at < whole.head_bytes);
    }
    if (progress == HTTP_COMPLETE) {
        check_complete(&whole, bytes, size);
        check_lookups(&whole, bytes);
    }
    return 0;
}
