#include "wire/url.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HOST_SIGNS                                                                                 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_" /* of a name */

/* Decodes the byte at raw[*at] and steps over it; -1 if the encoding is malformed. */
static int next_byte(struct span raw, size_t *at)
{
    if (raw.data[*at] != '%')
        return (unsigned char)raw.data[(*at)++];
    if (raw.length - *at < 3)
        return -1;
    int high = text_hex_digit(raw.data[*at + 1]), low = text_hex_digit(raw.data[*at + 2]);

    *at += 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static enum reason check_segments(const char *path)
{
    for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
        const char *segment = slash + 1;
        size_t length = strcspn(segment, "/");

        if (length == 0 && *segment == '/')
            return REASON_PATH_EMPTY;
        if ((length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
            return REASON_PATH_DOTS;
    }
    return REASON_ALLOWED;
}

/* Of a byte that a path has been decoded to. */
static enum reason check_byte(int byte)
{
    if (byte < 0)
        return REASON_PATH_ENCODING;
    if (byte < 0x20 || byte == 0x7f)
        return REASON_PATH_CONTROL;
    return byte == '\\' ? REASON_PATH_SEPARATOR : REASON_ALLOWED;
}

enum reason url_path_check(const char *path)
{
    for (const char *at = path; *at != '\0'; at++) {
        enum reason reason = check_byte((unsigned char)*at);

        if (!reason_allows(reason))
            return reason;
    }
    return utf8_valid(path, strlen(path)) ? check_segments(path) : REASON_PATH_UTF8;
}

/* Whether a text ends with what stands for an encoded slash. */
static bool ends_as_slash(const char *text, size_t length)
{
    const size_t slash = sizeof(URL_ENCODED_SLASH) - 1;

    return length >= slash && strncasecmp(text + length - slash, URL_ENCODED_SLASH, slash) == 0;
}

/* The bytes, not yet looked at as a whole. */
static enum reason decode_path(struct span raw, char *out, size_t capacity)
{
    size_t length = 0, at = 0;

    while (at < raw.length) {
        bool encoded = raw.data[at] == '%';
        int byte = next_byte(raw, &at);
        bool slash = encoded && byte == '/';
        size_t room = slash ? sizeof(URL_ENCODED_SLASH) - 1 : 1;
        enum reason reason = check_byte(byte);

        if (!reason_allows(reason))
            return reason;
        if (!encoded && strchr(" ?#", byte) != NULL)
            return REASON_PATH_INVALID;
        if (length + room >= capacity)
            return REASON_PATH_LENGTH;
        if (slash)
            memcpy(out + length, URL_ENCODED_SLASH, room);
        else
            out[length] = (char)byte;
        length += room;
        if (!slash && ends_as_slash(out, length))
            return REASON_PATH_SEPARATOR;
    }
    out[length] = '\0';
    return utf8_valid(out, length) ? REASON_ALLOWED : REASON_PATH_UTF8;
}

enum reason url_path_decode(struct span raw, char *out, size_t capacity)
{
    enum reason reason = REASON_PATH_INVALID;

    if (raw.length > 0 && raw.data[0] == '/')
        reason = decode_path(raw, out, capacity);
    return reason_allows(reason) ? check_segments(out) : reason;
}

enum error url_query_decode(struct span raw, char *out, size_t capacity)
{
    size_t length = 0, at = 0;

    while (at < raw.length) {
        char first = raw.data[at];
        int byte = next_byte(raw, &at);

        if (byte < 0x20 || byte == 0x7f)
            return ERROR_INVALID;
        if (length + 1 >= capacity)
            return ERROR_LIMIT;
        out[length++] = (char)(first == '+' ? ' ' : byte);
    }
    out[length] = '\0';
    return utf8_valid(out, length) ? OK : ERROR_INVALID;
}

void url_encode(struct span text, bool path, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != '\0' && strchr(path ? "-._~/!$&'()*+,;=:@" : "-._~", c) != NULL);

        if (plain)
            buffer_append(out, &c, 1);
        else
            buffer_append_format(out, "%%%02X", c);
    }
}

bool url_query_next(struct span *query, struct span *name, struct span *value)
{
    struct span pair;

    if (query->data == NULL || query->length == 0)
        return false;
    pair = *value = span_split(query, '&');
    *name = span_split(value, '=');
    if (value->data == NULL)
        *value = (struct span){pair.data + pair.length, 0};
    return true;
}

size_t url_unescape(char *text, size_t length)
{
    const struct span raw = {text, length};
    size_t kept = 0;

    for (size_t at = 0; at < length;) {
        size_t next = at;
        int byte = next_byte(raw, &next);

        if (byte >= 0) {
            text[kept++] = (char)byte;
            at = next;
        } else {
            text[kept++] = text[at++];
        }
    }
    return kept;
}

/* ---- Host names and addresses ---- */

bool host_is_label(const char *label, size_t length)
{
    if (length == 0 || length > HOST_LABEL_BYTES_MAX || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool host_is_address(const char *text, bool *loopback)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, text, &four) == 1) {
        *loopback = ntohl(four.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton(AF_INET6, text, &six) == 1) {
        *loopback = IN6_IS_ADDR_LOOPBACK(&six);
        return true;
    }
    return false;
}

/* "localhost", "NAME.localhost" (RFC 6761 section 6.3), 127.0.0.0/8, "[::1]". */
static bool is_loopback(struct span host)
{
    static const char name[] = "localhost";
    const size_t length = sizeof(name) - 1;
    char text[INET6_ADDRSTRLEN];
    bool brackets = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    bool loopback = false;

    if (brackets)
        host = (struct span){host.data + 1, host.length - 2};
    for (size_t i = 0; i < host.length; i++) {
        if (strchr(brackets ? "0123456789abcdefABCDEF:." : HOST_SIGNS, host.data[i]) == NULL)
            return false;
    }
    if (!brackets && host.length >= length &&
        span_equals_nocase((struct span){host.data + host.length - length, length}, name))
        return host.length == length || host.data[host.length - length - 1] == '.';
    if (host.length >= sizeof(text))
        return false;
    memcpy(text, host.data, host.length);
    text[host.length] = '\0';
    return host_is_address(text, &loopback) && loopback;
}

struct span url_after_loopback(struct span url, unsigned *port)
{
    static const char scheme[] = "http:";
    const size_t length = sizeof(scheme) - 1;
    struct span rest = url, host;
    uint64_t number = 80;
    size_t end = 0, colon;

    if (rest.length > length && span_equals_nocase((struct span){rest.data, length}, scheme))
        rest = (struct span){rest.data + length, rest.length - length};
    if (rest.length < 2 || memcmp(rest.data, "//", 2) != 0)
        return (struct span){NULL, 0};
    rest = (struct span){rest.data + 2, rest.length - 2};
    while (end < rest.length && strchr("/?#", rest.data[end]) == NULL)
        end++;
    for (colon = end; colon > 0 && rest.data[colon - 1] >= '0' && rest.data[colon - 1] <= '9';)
        colon--;
    host = (struct span){rest.data, end};
    if (colon > 0 && colon < end && rest.data[colon - 1] == ':') {
        if (!text_number((struct span){rest.data + colon, end - colon}, 5, &number))
            return (struct span){NULL, 0};
        host.length = colon - 1;
    }
    if (!is_loopback(host))
        return (struct span){NULL, 0};
    *port = (unsigned)number;
    return (struct span){rest.data + end, rest.length - end};
}
