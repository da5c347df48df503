/*
 * A growing byte buffer with a ceiling, and the JSON string writer that the
 * audit log, refusals and problem documents share.
 *
 * A buffer that could not grow remembers it: appends after a failure do
 * nothing and buffer_failed() stays true, so a caller builds a whole document
 * and asks once.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;       /* owned; always NUL-terminated once anything was appended */
    size_t length;    /* bytes in use, without the NUL */
    size_t capacity;  /* bytes allocated */
    size_t max_bytes; /* ceiling on length */
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t max_bytes);
/* Frees the bytes; the buffer may be used again with the same ceiling. */
void buffer_clear(struct buffer *buffer);
/* As buffer_clear, wiping the bytes first: for anything that held a secret. */
void buffer_wipe(struct buffer *buffer);
/* Forgets the content and keeps the memory. */
void buffer_reset(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Appends bytes as people may see them: what may not be shown is escaped (text_escape). */
void buffer_append_shown(struct buffer *buffer, const char *bytes, size_t length);
/*
 * Appends bytes as a quoted JSON string (RFC 8259 section 7), in which nothing is
 * that may not be shown: hostile bytes can always be logged and read back.
 */
void buffer_append_json_string(struct buffer *buffer, const char *bytes, size_t length);
/* The same with the fewest escapes: controls of ASCII alone. Digests rest on it; not for people. */
void buffer_append_canonical_string(struct buffer *buffer, const char *bytes, size_t length);
/*
 * Appends one word of a command line as sh(1) reads it, quoted where it must be. False, and nothing
 * is appended: something in it may not be shown, so who copied it could not see what he copies.
 */
bool buffer_append_word(struct buffer *buffer, const char *text) MUST_CHECK;
/*
 * Appends all that can still be read. ERROR_IO (errno says why); ERROR_LIMIT
 * if it is more than there is room for.
 */
enum error buffer_append_fd(struct buffer *buffer, int fd) MUST_CHECK;
/* Drops bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t length);
/* Goes back to the first `length` bytes, to before what failed. */
void buffer_truncate(struct buffer *buffer, size_t length);
/* Makes room for `length` more bytes and returns where they go, or NULL; then buffer_commit(). */
void *buffer_reserve(struct buffer *buffer, size_t length);
void buffer_commit(struct buffer *buffer, size_t length);

static inline bool buffer_failed(const struct buffer *buffer)
{
    return buffer->failed;
}
