/*
 * Any bytes from a service as the head of its response: decided once, whatever
 * the pieces, and within the bytes.
 */
#include "wire/http_head.h"

#include "fuzz.h"

#include <string.h>

#define PREFIXES_MAX 256

static void check_complete(const struct http_response *response, const char *bytes, size_t length)
{
    const char *end = bytes + response->head_bytes;

    require(response->head_bytes <= length && response->head_bytes <= HTTP_HEAD_BYTES_MAX);
    require(response->status >= 100 && response->status <= 599);
    require(response->fields.count <= HTTP_FIELDS_MAX);
    require(memcmp(end - 4, "\r\n\r\n", 4) == 0);
    /* No control byte gets through, not even within the reason phrase. */
    for (const char *at = bytes; at < end; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '\r')
            require(at[1] == '\n');
        else if (c == '\n')
            require(at > bytes && at[-1] == '\r');
        else
            require((c >= 0x20 && c != 0x7f) || c == '\t');
    }
    for (size_t i = 0; i < response->fields.count; i++) {
        struct http_field field = response->fields.list[i];

        require(http_is_token(field.name));
        require(field.name.data >= bytes && field.value.data >= field.name.data);
        require(field.value.data + field.value.length <= end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct http_response whole, part;
    enum reason reason;
    enum http_progress progress = http_response_parse(bytes, size, &whole);
    size_t step = size / PREFIXES_MAX + 1;
    bool refused = false;
    struct span value;

    require(progress != HTTP_MORE || size < HTTP_HEAD_BYTES_MAX);
    for (size_t at = 0; at <= size; at += step) {
        enum http_progress now = http_response_parse(bytes, at, &part);

        require(!refused || now == HTTP_FAULT);
        refused = now == HTTP_FAULT;
        require(now != HTTP_FAULT || progress == HTTP_FAULT);
        if (now == HTTP_COMPLETE)
            require(progress == HTTP_COMPLETE && part.head_bytes == whole.head_bytes &&
                    part.status == whole.status && part.fields.count == whole.fields.count);
    }
    if (progress == HTTP_COMPLETE) {
        check_complete(&whole, bytes, size);
        (void)http_fields_have_token(&whole.fields, "connection", "upgrade");
        reason = http_fields_single(&whole.fields, "upgrade", &value);
        require(reason == REASON_ALLOWED || reason == REASON_HEADER_DUPLICATE);
    }
    return 0;
}
