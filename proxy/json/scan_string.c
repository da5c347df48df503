/* The strings of a text that is scanned, and faults. */
#include "json/scan_state.h"

#include "json/chars.h"
#include "json/plain.h"

#include <string.h>

#define SINGLES_MAX 4 /* characters beyond ASCII that are looked at one by one before many are */

const unsigned char *scan_fault(struct json_scan *scan, const unsigned char *at, enum reason reason)
{
    scan->fault = at;
    scan->reason = reason;
    return NULL;
}

/* A byte that cannot stand here: say what is worst about it. */
const unsigned char *scan_fault_byte(struct json_scan *scan, const unsigned char *at)
{
    if (at < scan->end && *at == 0)
        return scan_fault(scan, at, REASON_JSON_NUL);
    if (at < scan->end && *at >= 0x80 && utf8_sequence(at, scan->end) == 0)
        return scan_fault(scan, at, REASON_JSON_UTF8);
    return scan_fault(scan, at, REASON_JSON_SYNTAX);
}

/* An escape that spells no Unicode text; `at` is on its backslash. */
SCAN_SELDOM static const unsigned char *note_odd(struct json_scan *scan, const unsigned char *at,
                                                 enum reason reason)
{
    if (scan->limits->refuse_unpaired)
        return scan_fault(scan, at, reason);
    scan->odd = reason;
    return at + 6;
}

/* `at` is on the backslash. */
static const unsigned char *read_escape(struct json_scan *scan, const unsigned char *at)
{
    const unsigned char *end = scan->end;
    uint32_t unit, low;

    if (end - at < 2)
        return scan_fault(scan, at, REASON_JSON_SYNTAX);
    if (at[1] != 'u')
        return at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2
                                                                 : scan_fault_byte(scan, at + 1);
    unit = json_chars_hex4(at + 2, end);
    if (unit == JSON_CHARS_FAULT)
        return scan_fault(scan, at, REASON_JSON_SYNTAX);
    if (unit == 0)
        return note_odd(scan, at, REASON_JSON_NUL);
    if (unit < 0xd800 || unit > 0xdfff)
        return at + 6;
    low = unit < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u'
              ? json_chars_hex4(at + 8, end)
              : 0;
    if (low < 0xdc00 || low > 0xdfff)
        return note_odd(scan, at, REASON_JSON_SURROGATE);
    return at + 12;
}

/* One character beyond ASCII. */
static inline const unsigned char *read_character(struct json_scan *scan, const unsigned char *at)
{
    size_t length = utf8_sequence(at, scan->end);

    return length > 0 ? at + length : scan_fault(scan, at, REASON_JSON_UTF8);
}

const unsigned char *scan_string_rest(struct json_scan *scan, const unsigned char *at)
{
    const unsigned char *end = scan->end, *rest;
    unsigned singles = 0;

    while (at != NULL) {
        at = json_plain_skip(at, end);
        if (at == end)
            return scan_fault(scan, at, REASON_JSON_SYNTAX);
        if (*at == '"')
            return at + 1;
        if (*at >= 0x80 && singles++ < SINGLES_MAX) {
            at = read_character(scan, at);
            continue;
        }
        rest = json_string_skip(at, end, &scan->escaped);
        if (rest != at) {
            at = rest;
        } else if (*at == '\\') {
            scan->escaped = true;
            at = read_escape(scan, at);
        } else {
            at = *at < 0x80 ? scan_fault_byte(scan, at) : read_character(scan, at);
        }
    }
    return NULL;
}
