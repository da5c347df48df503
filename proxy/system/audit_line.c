#include "system/audit_line.h"

#include <string.h>

#define SEQUENCE_DIGITS_MAX 18
#define MAC_NAME            ",\"mac\":\""
#define MAC_END             "\"}"
#define MAC_BYTES           (sizeof(MAC_NAME) - 1 + 2 * SHA256_BYTES + sizeof(MAC_END) - 1)

static bool read_number(const struct json_member *member, uint64_t *out)
{
    return member != NULL && member->type == JSON_TYPE_INTEGER &&
           text_number(member->value, SEQUENCE_DIGITS_MAX, out);
}

static bool read_digest(const struct json_member *member, char out[SHA256_HEX_SIZE])
{
    size_t length;

    return member != NULL && member->type == JSON_TYPE_STRING &&
           json_scan_unescape(member->value, out, SHA256_HEX_SIZE, &length) == OK &&
           length == SHA256_HEX_SIZE - 1 && text_is_hex(out, length);
}

/* What only lines of the log's own have. */
static bool read_event(struct json_scan *scan, struct audit_line *out)
{
    const struct json_member *event = json_scan_find(scan, -1, "event");

    if (event == NULL || event->type != JSON_TYPE_STRING)
        return false;
    out->resumed = span_equals(event->value, "\"" AUDIT_EVENT_RESUMED "\"");
    out->recovered = span_equals(event->value, "\"" AUDIT_EVENT_RECOVERED "\"");
    out->mismatch = span_equals(event->value, "\"" AUDIT_EVENT_MISMATCH "\"");
    if (span_equals(event->value, "\"" AUDIT_EVENT_LOST "\"") &&
        !read_number(json_scan_find(scan, -1, "count"), &out->lost))
        return false;
    if (out->mismatch && (!read_number(json_scan_find(scan, -1, "anchored"), &out->anchored) ||
                          !read_number(json_scan_find(scan, -1, "found"), &out->found)))
        return false;
    return !out->recovered || read_digest(json_scan_find(scan, -1, "after"), out->after);
}

bool audit_line_parse(struct json_scan *scan, struct span line, struct audit_line *out)
{
    *out = (struct audit_line){.sequence = 0};
    if (json_scan_text(scan, line.data, line.length, NULL) != REASON_ALLOWED ||
        json_scan_root(scan) != JSON_TYPE_OBJECT ||
        !read_number(json_scan_find(scan, -1, "seq"), &out->sequence) || out->sequence == 0 ||
        !read_digest(json_scan_find(scan, -1, "prev"), out->prev))
        return false;
    out->has_mac = json_scan_find(scan, -1, "mac") != NULL;
    return read_event(scan, out);
}

static bool compute(struct span signed_part, const struct secret_key *key,
                    char out[SHA256_HEX_SIZE])
{
    unsigned char mac[SHA256_BYTES];

    if (secret_hmac_sha256(key, signed_part.data, signed_part.length, mac) != OK)
        return false;
    text_hex(mac, sizeof(mac), out);
    return true;
}

void audit_line_sign(struct buffer *line, const struct secret_key *key)
{
    char mac[SHA256_HEX_SIZE];

    if (buffer_failed(line) || !compute((struct span){line->data, line->length}, key, mac))
        line->failed = true;
    else
        buffer_append_format(line, MAC_NAME "%s\"", mac);
}

bool audit_line_is_signed(struct span line, const struct secret_key *key)
{
    char mac[SHA256_HEX_SIZE];
    struct span before = {line.data, line.length - MAC_BYTES};
    const char *at = line.data + before.length;

    return line.length > MAC_BYTES && memcmp(at, MAC_NAME, sizeof(MAC_NAME) - 1) == 0 &&
           compute(before, key, mac) &&
           secret_equal(at + sizeof(MAC_NAME) - 1, mac, sizeof(mac) - 1) &&
           memcmp(line.data + line.length - (sizeof(MAC_END) - 1), MAC_END, sizeof(MAC_END) - 1) ==
               0;
}
