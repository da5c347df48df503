#include "system/audit_line.h"

#include <string.h>

#define SEQUENCE_DIGITS_MAX 18

static bool read_sequence(const struct json_member *member, uint64_t *out)
{
    return member != NULL && member->type == JSON_TYPE_INTEGER &&
           text_number(member->value, SEQUENCE_DIGITS_MAX, out) && *out > 0;
}

static bool read_digest(const struct json_member *member, char out[SHA256_HEX_SIZE])
{
    size_t length;

    return member != NULL && member->type == JSON_TYPE_STRING &&
           json_scan_unescape(member->value, out, SHA256_HEX_SIZE, &length) == OK &&
           length == SHA256_HEX_SIZE - 1 && text_is_hex(out, length);
}

bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out)
{
    const struct json_member *event;

    if (json_scan_text(scan, line.data, line.length, NULL) != REASON_ALLOWED ||
        json_scan_root(scan) != JSON_TYPE_OBJECT ||
        !read_sequence(json_scan_find(scan, -1, "seq"), &out->sequence) ||
        !read_digest(json_scan_find(scan, -1, "prev"), out->prev))
        return false;
    event = json_scan_find(scan, -1, "event");
    if (event == NULL || event->type != JSON_TYPE_STRING)
        return false;
    out->recovered = span_equals(event->value, "\"" AUDIT_EVENT_RECOVERED "\"");
    return !out->recovered || read_digest(json_scan_find(scan, -1, "after"), out->after);
}
