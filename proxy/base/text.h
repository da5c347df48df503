/*
 * Small helpers on text: spans into memory somebody else owns, owned lists of
 * strings, globs, hexadecimal and base64.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in memory that somebody else owns; not NUL-terminated. */
struct span {
    const char *data; /* NULL: absent */
    size_t length;
};

struct span span_of(const char *text); /* NULL gives an absent span */
bool span_equals(struct span span, const char *text);
bool span_same(struct span left, struct span right);
/* ASCII case only: header names and schemes. */
bool span_equals_nocase(struct span span, const char *text);
/* Without spaces and tabs around it. */
struct span span_trim(struct span span);
/* Takes what stands before the next separator off the rest, which ends absent. */
struct span span_split(struct span *rest, char separator);

/* An owned list of owned strings. All zero is a valid empty list. */
struct text_list {
    char **items;
    size_t count;
};

enum error text_list_add(struct text_list *list, const char *bytes, size_t length) MUST_CHECK;
bool text_list_contains(const struct text_list *list, struct span span);
void text_list_clear(struct text_list *list);

/* Copies a span to a NUL-terminated string that the caller frees; NULL without memory. */
char *text_copy(struct span span);

/*
 * Whole-string match against a pattern in which `*` stands for any bytes and
 * `?` for one byte; everything else stands for itself. Time is at most
 * proportional to pattern length times text length.
 */
bool text_glob_matches(const char *pattern, struct span text);

/*
 * Whether it can name a surface, a parameter record, a session or a dialect pack:
 * a letter or digit, then letters, digits, '.', '_' and '-'.
 */
#define TEXT_NAME_BYTES_MAX 64
bool text_is_name(const char *text);

/* Whether a control character, which no line of text has, is in it (ASCII). */
bool text_has_control(const char *text);

/* Lower-case hexadecimal; `out` has room for 2 * length + 1. */
void text_hex(const unsigned char *bytes, size_t length, char *out);
/* Whether it is so many digits of lower-case hexadecimal and nothing else. */
bool text_is_hex(const char *text, size_t digits);
/* 1 to `digits_max` (at most 19) decimal digits, and nothing else. */
bool text_number(struct span text, size_t digits_max, uint64_t *out);
/* The value of a hexadecimal digit of either case; -1 if it is none. */
int text_hex_digit(char digit);
/* Standard base64 with padding (RFC 4648 section 4); `out` has room for 4 * ((length + 2) / 3) + 1.
 */
void text_base64(const unsigned char *bytes, size_t length, char *out);
/* URL-safe base64 without padding (RFC 4648 section 5); room as for text_base64. */
void text_base64url(const unsigned char *bytes, size_t length, char *out);

/* ---- UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing above U+10FFFF ---- */

/*
 * Length in bytes (2 to 4) of the valid sequence that starts at `at`, whose
 * first byte is 0x80 or above; 0 if it is not one. Needs at < end.
 */
size_t utf8_sequence(const unsigned char *at, const unsigned char *end);

/* How many bytes at the front are whole characters; whether more bytes behind all of them can make
 * it UTF-8. */
size_t utf8_whole(const char *bytes, size_t length, bool *may_go_on);
/* Whether all bytes are UTF-8. */
bool utf8_valid(const char *bytes, size_t length);

/* ---- What may be shown to people, in a log and at a terminal ---- */

#define TEXT_ESCAPE_SIZE 13 /* "\\udb40\\udc01" with its NUL */
/*
 * Length in bytes of the character at `at`, and what is to be shown for it: "" for itself, else
 * its escape as JSON has it. Escaped is what a terminal may act on (controls, of C1 too), what
 * hides or turns around the text next to it, what ends a line for some readers, and tags. A byte
 * that is no UTF-8 is U+FFFD, and so is NUL, which our own scanner would refuse. Needs at < end.
 */
size_t text_escape(const char *at, const char *end, char escape[TEXT_ESCAPE_SIZE]);
