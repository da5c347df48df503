#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VERSION       "HTTP/1.1 "
#define VERSION_BYTES (sizeof VERSION - 1)

const char *http_field(const char *bytes, size_t head_bytes, const char *name, size_t *length)
{
    size_t name_bytes = strlen(name);
    const char *end = bytes + head_bytes;
    const char *line = memchr(bytes, '\n', head_bytes);
    while (line != NULL) {
        line++;
        const char *line_end = memchr(line, '\r', (size_t)(end - line));
        if (line_end == NULL) {
            return NULL;
        }
        if ((size_t)(line_end - line) > name_bytes && line[name_bytes] == ':' &&
            strncasecmp(line, name, name_bytes) == 0) {
            const char *value = line + name_bytes + 1;
            while (*value == ' ') {
                value++;
            }
            *length = (size_t)(line_end - value);
            return value;
        }
        line = memchr(line_end, '\n', (size_t)(end - line_end));
    }
    return NULL;
}

enum http_progress http_read_head(const char *bytes, size_t length, struct http_head *head)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (end == NULL) {
        return HTTP_PARTIAL;
    }
    *head = (struct http_head){.head_bytes = (size_t)(end + 4 - bytes)};
    if (memcmp(bytes, "HTTP/", 5) == 0) {
        if (memcmp(bytes, VERSION, VERSION_BYTES) != 0) {
            return HTTP_BAD;
        }
        head->status = (unsigned)strtoul(bytes + VERSION_BYTES, NULL, 10);
    }
    size_t value_bytes;
    const char *value = http_field(bytes, head->head_bytes, "Content-Length", &value_bytes);
    if (value != NULL) {
        head->body_bytes = strtoul(value, NULL, 10);
    }
    head->chunked = http_field(bytes, head->head_bytes, "Transfer-Encoding", &value_bytes) != NULL;
    return HTTP_WHOLE;
}
