#include "wire/http_response.h"

#include <string.h>

#define VERSION "HTTP/1." /* and 0 or 1 */

/* HTTP/1.x SP 3DIGIT SP [reason-phrase] (RFC 9112 section 4). */
static bool parse_status_line(const char *line, size_t length, struct http_response *out)
{
    if (length < 12 || memcmp(line, VERSION, sizeof(VERSION) - 1) != 0 ||
        (line[7] != '0' && line[7] != '1') || line[8] != ' ' || (length > 12 && line[12] != ' '))
        return false;
    out->http_1_0 = line[7] == '0';
    out->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        out->status = out->status * 10 + (unsigned)(line[i] - '0');
    }
    out->phrase = (struct span){line + length, 0};
    if (length > 13)
        out->phrase = (struct span){line + 13, length - 13};
    return out->status >= 100 && out->status <= 599;
}

enum http_progress http_response_parse(const char *bytes, size_t length, struct http_response *out)
{
    size_t limit = length < HTTP_HEAD_BYTES_MAX ? length : HTTP_HEAD_BYTES_MAX;
    size_t known = length < sizeof(VERSION) - 1 ? length : sizeof(VERSION) - 1, stop;
    enum http_progress progress;
    enum reason reason;

    /* What cannot become a status line is not waited for: HTTP/0.9 has none. */
    if (known > 0 && memcmp(bytes, VERSION, known) != 0)
        return HTTP_FAULT;
    progress = http_line_find(bytes, limit, 0, &stop, &reason);
    if (progress == HTTP_COMPLETE) {
        if (!parse_status_line(bytes, stop, out))
            return HTTP_FAULT;
        progress =
            http_fields_parse(bytes, limit, stop + 2, &out->fields, &out->head_bytes, &reason);
    }
    return progress == HTTP_MORE && length >= HTTP_HEAD_BYTES_MAX ? HTTP_FAULT : progress;
}

const char *http_status_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}
