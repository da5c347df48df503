#include "base/text.h"

#include "base/lanes.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span span_of(const char *text)
{
    return (struct span){text, text != NULL ? strlen(text) : 0};
}

bool span_equals(struct span span, const char *text)
{
    return span_same(span, span_of(text));
}

bool span_same(struct span left, struct span right)
{
    return left.data != NULL && right.data != NULL && left.length == right.length &&
           memcmp(left.data, right.data, left.length) == 0;
}

bool span_equals_nocase(struct span span, const char *text)
{
    return span.data != NULL && span.length == strlen(text) &&
           strncasecmp(span.data, text, span.length) == 0;
}

struct span span_trim(struct span span)
{
    while (span.length > 0 && (span.data[0] == ' ' || span.data[0] == '\t')) {
        span.data++;
        span.length--;
    }
    while (span.length > 0 &&
           (span.data[span.length - 1] == ' ' || span.data[span.length - 1] == '\t'))
        span.length--;
    return span;
}

struct span span_split(struct span *rest, char separator)
{
    const char *stop = rest->length > 0 ? memchr(rest->data, separator, rest->length) : NULL;
    struct span whole = *rest, part = whole;

    *rest = (struct span){NULL, 0};
    if (stop != NULL) {
        part.length = (size_t)(stop - part.data);
        *rest = (struct span){stop + 1, whole.length - part.length - 1};
    }
    return part;
}

enum error text_list_add(struct text_list *list, const char *bytes, size_t length)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    char *copy;

    if (items == NULL)
        return ERROR_MEMORY;
    list->items = items;
    copy = text_copy((struct span){bytes, length});
    if (copy == NULL)
        return ERROR_MEMORY;
    items[list->count++] = copy;
    return OK;
}

bool text_list_contains(const struct text_list *list, struct span span)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equals(span, list->items[i]))
            return true;
    }
    return false;
}

void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

char *text_copy(struct span span)
{
    char *copy = malloc(span.length + 1);

    if (copy == NULL)
        return NULL;
    if (span.length > 0)
        memcpy(copy, span.data, span.length);
    copy[span.length] = '\0';
    return copy;
}

bool text_glob_matches(const char *pattern, struct span text)
{
    const char *star = NULL;
    size_t i = 0, retry = 0;

    /* On a mismatch only the latest star can help: it takes one byte more. */
    while (i < text.length) {
        if (*pattern == '*') {
            star = pattern++;
            retry = i;
        } else if (*pattern == '?' || (*pattern != '\0' && *pattern == text.data[i])) {
            pattern++;
            i++;
        } else if (star != NULL) {
            pattern = star + 1;
            i = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool text_is_name(const char *text)
{
    size_t length = 0;

    if (!is_alphanumeric(*text))
        return false;
    while (is_alphanumeric(text[length]) || (text[length] != '\0' && strchr("._-", text[length])))
        length++;
    return text[length] == '\0' && length <= TEXT_NAME_BYTES_MAX;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

bool text_has_control(const char *text)
{
    while (*text != '\0' && !is_control(*text))
        text++;
    return *text != '\0';
}

#define HEX_DIGITS "0123456789abcdef"

void text_hex(const unsigned char *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = HEX_DIGITS[bytes[i] >> 4];
        out[2 * i + 1] = HEX_DIGITS[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

bool text_is_hex(const char *text, size_t digits)
{
    return strspn(text, HEX_DIGITS) == digits && text[digits] == '\0';
}

bool text_number(struct span text, size_t digits_max, uint64_t *out)
{
    uint64_t number = 0;

    if (text.length == 0 || text.length > digits_max)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

int text_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void text_base64(const unsigned char *bytes, size_t length, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)length);
}

void text_base64url(const unsigned char *bytes, size_t length, char *out)
{
    text_base64(bytes, length, out);
    for (; *out != '\0' && *out != '='; out++) {
        if (*out == '+')
            *out = '-';
        else if (*out == '/')
            *out = '_';
    }
    *out = '\0';
}

/* ---- UTF-8 ---- */

/* By the first byte (Unicode 15, table 3-7); 0: none begins with it. */
static size_t length_by(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Whether the second byte can follow the first: no overlong form, no surrogate, up to U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    return second >= low && second <= high;
}

size_t utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    size_t length = length_by(at[0]);

    if (length == 0 || (size_t)(end - at) < length || !second_fits(at[0], at[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

/* Past what is ASCII. */
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end)
{
    uint64_t word;

    for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

/* Whether the bytes up to the end are the beginning of a sequence and not all of it. */
static bool is_begun(const unsigned char *at, const unsigned char *end)
{
    size_t have = (size_t)(end - at);

    if (have >= length_by(at[0]) || (have > 1 && !second_fits(at[0], at[1])))
        return false;
    return have < 3 || (at[2] & 0xc0) == 0x80;
}

/* Past the blocks that are beyond doubt. */
static const unsigned char *skip_blocks(const unsigned char *at, const unsigned char *end)
{
#ifdef __SSE2__
    bool valid = true;

    while (end - at >= LANES_BYTES) {
        const struct lanes lanes = lanes_load(at);
        const uint64_t high = lanes_high(lanes);
        size_t checked = LANES_BYTES;

        if (high != 0)
            checked = lanes_check_utf8(lanes, high, LANES_BYTES, &valid);
        if (!valid)
            break;
        at += checked;
    }
#else
    (void)end;
#endif
    return at;
}

size_t utf8_whole(const char *bytes, size_t length, bool *may_go_on)
{
    const unsigned char *end = (const unsigned char *)bytes + length;
    const unsigned char *at = skip_blocks((const unsigned char *)bytes, end);

    while ((at = skip_ascii(at, end)) < end) {
        size_t sequence = utf8_sequence(at, end);

        if (sequence == 0)
            break;
        at += sequence;
    }
    *may_go_on = at == end || is_begun(at, end);
    return length - (size_t)(end - at);
}

bool utf8_valid(const char *bytes, size_t length)
{
    bool may_go_on;

    return utf8_whole(bytes, length, &may_go_on) == length;
}

/* ---- What may be shown ---- */

/* What is not shown, from and to, in order (Unicode 15; general categories Cc, Cf, Zl, Zp). */
static const uint32_t hidden[][2] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t character)
{
    size_t i = 0;

    while (i < sizeof(hidden) / sizeof(hidden[0]) - 1 && character > hidden[i][1])
        i++;
    return character >= hidden[i][0] && character <= hidden[i][1];
}

/* The character of a valid sequence. */
static uint32_t decode(const unsigned char *at, size_t length)
{
    uint32_t character = length == 1 ? at[0] : at[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++)
        character = character << 6 | (at[i] & 0x3fu);
    return character;
}

size_t text_escape(const char *at, const char *end, char escape[TEXT_ESCAPE_SIZE])
{
    const unsigned char *bytes = (const unsigned char *)at;
    size_t length = bytes[0] < 0x80 ? 1 : utf8_sequence(bytes, (const unsigned char *)end);
    uint32_t character = length > 0 ? decode(bytes, length) : 0;

    escape[0] = '\0';
    if (character == 0)
        memcpy(escape, "\\ufffd", sizeof("\\ufffd"));
    else if (character >= 0x10000 && is_hidden(character))
        snprintf(escape, TEXT_ESCAPE_SIZE, "\\u%04x\\u%04x",
                 0xd800u + ((character - 0x10000) >> 10 & 0x3ffu), 0xdc00u + (character & 0x3ffu));
    else if (is_hidden(character))
        snprintf(escape, TEXT_ESCAPE_SIZE, "\\u%04x", character & 0xffffu);
    return length > 0 ? length : 1;
}
