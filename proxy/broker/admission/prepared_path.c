#include "broker/admission/prepared_path.h"

#include "json/scan.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES_MAX 256
#define PLACE           "{answer}"

/* The string member of the body that names the path's last part. */
static enum error read_value(const char *name, struct span body, char out[VALUE_BYTES_MAX])
{
    const struct json_member *member;
    struct json_scan *scan;
    size_t length;
    enum error error = json_scan_create(&scan);

    if (error != OK)
        return error;
    error = ERROR_INVALID;
    if (reason_allows(json_scan_text(scan, body.data, body.length, NULL)) &&
        json_scan_root(scan) == JSON_TYPE_OBJECT) {
        member = json_scan_find(scan, -1, name);
        if (member != NULL && member->type == JSON_TYPE_STRING)
            error = json_scan_unescape(member->value, out, VALUE_BYTES_MAX, &length);
    }
    json_scan_destroy(scan);
    return error;
}

/* `then` with the value in its place; the value may be one plain path segment only. */
static enum error build_path(const char *then, const char *value, struct buffer *out)
{
    const char *place = strstr(then, PLACE);

    if (place == NULL || value[0] == '\0' || strpbrk(value, "/?#%;&\\.") != NULL)
        return ERROR_INVALID;
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e)
            return ERROR_INVALID;
    }
    buffer_append(out, then, (size_t)(place - then));
    buffer_append_text(out, value);
    buffer_append_text(out, place + sizeof(PLACE) - 1);
    return buffer_failed(out) ? ERROR_LIMIT : OK;
}

/* Whether the whole body is there: by Content-Length, or by the end of the connection. */
static bool body_complete(const struct http_response *response, size_t body_bytes, bool ended)
{
    struct span length;

    if (ended)
        return true;
    if (!reason_allows(http_fields_single(&response->fields, "content-length", &length)) ||
        length.data == NULL || length.length == 0 || length.length > 9)
        return false;
    return body_bytes >= strtoul(length.data, NULL, 10);
}

enum http_progress prepared_path_read(const struct route_prepare *rule, struct span answer,
                                      bool ended, struct buffer *out, enum reason *reason)
{
    struct http_response response;
    char value[VALUE_BYTES_MAX];
    struct span body;
    enum http_progress progress = http_response_parse(answer.data, answer.length, &response);

    *reason = REASON_PREPARE_ANSWER;
    if (progress != HTTP_COMPLETE)
        return ended ? HTTP_FAULT : progress;
    body = (struct span){answer.data + response.head_bytes, answer.length - response.head_bytes};
    if (!body_complete(&response, body.length, ended))
        return HTTP_MORE;
    if (response.status < 200 || response.status > 299)
        *reason = REASON_PREPARE_STATUS;
    else if (read_value(rule->answer, body, value) == OK &&
             build_path(rule->then, value, out) == OK)
        return HTTP_COMPLETE;
    return HTTP_FAULT;
}
