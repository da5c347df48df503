#include "base/buffer.h"

#include "base/secret.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INITIAL_BYTES 256
#define CHUNK_BYTES   4096

void buffer_init(struct buffer *buffer, size_t max_bytes)
{
    *buffer = (struct buffer){.max_bytes = max_bytes};
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->max_bytes);
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer->data != NULL)
        secret_wipe(buffer->data, buffer->capacity);
    buffer_clear(buffer);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

/*
 * Moves to a larger block by hand, not with realloc, so that a block that held
 * a secret is wiped before it is given back.
 */
static bool grow(struct buffer *buffer, size_t wanted)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : INITIAL_BYTES;
    char *data;

    while (capacity < wanted)
        capacity *= 2;
    data = malloc(capacity);
    if (data == NULL)
        return false;
    if (buffer->data != NULL) {
        memcpy(data, buffer->data, buffer->length + 1);
        secret_wipe(buffer->data, buffer->capacity);
        free(buffer->data);
    } else {
        data[0] = '\0';
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void *buffer_reserve(struct buffer *buffer, size_t length)
{
    if (buffer->failed)
        return NULL;
    if (length > buffer->max_bytes - buffer->length ||
        (buffer->length + length + 1 > buffer->capacity &&
         !grow(buffer, buffer->length + length + 1))) {
        buffer->failed = true;
        return NULL;
    }
    return buffer->data + buffer->length;
}

void buffer_commit(struct buffer *buffer, size_t length)
{
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    void *room = buffer_reserve(buffer, length);

    if (room == NULL)
        return;
    if (length > 0)
        memcpy(room, bytes, length);
    buffer_commit(buffer, length);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    char *room;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    room = buffer_reserve(buffer, (size_t)length);
    if (room == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(room, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer_commit(buffer, (size_t)length);
}

/* One character, and how many bytes it was. */
static size_t append_character(struct buffer *buffer, const char *at, const char *end)
{
    char escape[TEXT_ESCAPE_SIZE];
    size_t length = text_escape(at, end, escape);

    if (escape[0] != '\0')
        buffer_append_text(buffer, escape);
    else
        buffer_append(buffer, at, length);
    return length;
}

void buffer_append_shown(struct buffer *buffer, const char *bytes, size_t length)
{
    const char *end = bytes + length;

    while (bytes < end)
        bytes += append_character(buffer, bytes, end);
}

static void append_string(struct buffer *buffer, struct span text, bool canonical)
{
    const char *at = text.data, *end = text.data + text.length;

    buffer_append(buffer, "\"", 1);
    while (at < end) {
        size_t raw = canonical && (*at & 0x80) != 0
                         ? utf8_sequence((const unsigned char *)at, (const unsigned char *)end)
                         : 0;

        if (*at == '"' || *at == '\\') {
            buffer_append_format(buffer, "\\%c", *at++);
        } else if (raw > 0) {
            buffer_append(buffer, at, raw);
            at += raw;
        } else {
            at += append_character(buffer, at, end);
        }
    }
    buffer_append(buffer, "\"", 1);
}

void buffer_append_json_string(struct buffer *buffer, const char *bytes, size_t length)
{
    append_string(buffer, (struct span){bytes, length}, false);
}

void buffer_append_canonical_string(struct buffer *buffer, const char *bytes, size_t length)
{
    append_string(buffer, (struct span){bytes, length}, true);
}

/* Of these no shell makes anything. */
static bool is_plain_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+:@%,";

    return text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

bool buffer_append_word(struct buffer *buffer, const char *text)
{
    const char *end = text + strlen(text);
    char escape[TEXT_ESCAPE_SIZE];

    for (const char *at = text; at < end;) {
        at += text_escape(at, end, escape);
        if (escape[0] != '\0')
            return false;
    }
    if (is_plain_word(text)) {
        buffer_append_text(buffer, text);
        return true;
    }
    buffer_append(buffer, "'", 1);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buffer_append_text(buffer, "'\\''");
        else
            buffer_append(buffer, text, 1);
    }
    buffer_append(buffer, "'", 1);
    return true;
}

enum error buffer_append_fd(struct buffer *buffer, int fd)
{
    char bytes[CHUNK_BYTES];
    ssize_t length;

    buffer_append(buffer, "", 0); /* so that an empty file is an empty text */
    do {
        length = read(fd, bytes, sizeof(bytes));
        if (length > 0)
            buffer_append(buffer, bytes, (size_t)length);
    } while (!buffer_failed(buffer) && (length > 0 || (length < 0 && errno == EINTR)));
    secret_wipe(bytes, sizeof(bytes));
    if (length < 0)
        return ERROR_IO;
    return buffer_failed(buffer) ? ERROR_LIMIT : OK;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    if (length >= buffer->length) {
        buffer_reset(buffer);
        return;
    }
    if (length == 0)
        return;
    memmove(buffer->data, buffer->data + length, buffer->length - length + 1);
    buffer->length -= length;
}

void buffer_truncate(struct buffer *buffer, size_t length)
{
    if (length < buffer->length)
        buffer->length = length;
    buffer->failed = false;
    if (buffer->data != NULL)
        buffer->data[buffer->length] = '\0';
}
