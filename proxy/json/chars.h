/*
 * What a JSON string's escapes stand for (RFC 8259 section 7): one character at
 * a time, for hashing, comparing and copying. The text was scanned before; on
 * text that was not, nothing beyond its end is read and JSON_CHARS_FAULT comes. It comes as
 * well for an escape that spells no Unicode text: a lone surrogate, U+0000.
 */
#pragma once

#include "base/text.h"

#define JSON_CHARS_END       UINT32_MAX
#define JSON_CHARS_FAULT     (UINT32_MAX - 1)
#define JSON_CHARS_BYTES_MAX 4 /* of one character in UTF-8 */

struct json_chars {
    const unsigned char *at;
    const unsigned char *end;
    bool escapes; /* false: plain text, in which a backslash is a backslash */
};

/* A walk over raw text between the quotes, or (escapes false) over plain text. */
struct json_chars json_chars_of(struct span text, bool escapes);
/* The next character's code point, JSON_CHARS_END, or JSON_CHARS_FAULT. */
uint32_t json_chars_next(struct json_chars *string);
/* Writes a character as UTF-8 and returns how many bytes that took. */
size_t json_chars_encode(uint32_t character, unsigned char out[JSON_CHARS_BYTES_MAX]);

/* Whether raw text has such an escape, or is none that was scanned. */
bool json_chars_odd(struct span raw);

/* The value of the four hexadecimal digits at `at`; JSON_CHARS_FAULT if they are not there. */
uint32_t json_chars_hex4(const unsigned char *at, const unsigned char *end);

/* Whether a raw key, unescaped, is exactly `plain`. */
bool json_chars_equal(struct span raw, const char *plain);
/*
 * Whether a raw key, unescaped, equals plain text when ASCII case is ignored
 * and U+017F and U+212A count as s and k.
 */
bool json_chars_folds_to(struct span raw, const char *plain);
/* Whether it may, by its first letter alone, whatever its case: most keys differ there. */
static inline bool json_chars_may_fold_to(struct span raw, const char *plain)
{
    const unsigned char first = raw.length > 0 ? (unsigned char)*raw.data : 0;

    return first >= 0x80 || first == '\\' || ((first ^ (unsigned char)*plain) & ~0x20) == 0;
}

/*
 * ---- In bulk (string.c) ----
 *
 * A large message is mostly text, and its text is mostly plain. What is skipped
 * here is beyond doubt; whatever is not is left to the reader that looks at every
 * byte (scan_read.c), who decides alone what is a fault.
 */

/*
 * `at` is inside a string, at the start of a character. Returns where the reader
 * has to go on, at the start of a character or an escape: everything before it
 * is valid UTF-8 without controls and bare quotes, and the escapes in it are
 * those of one letter (RFC 8259 section 7). *escaped becomes true if there are
 * any. May return `at` itself; always does on processors without SSE2.
 */
const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped);
