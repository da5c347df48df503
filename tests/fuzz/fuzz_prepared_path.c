/*
 * Any bytes as a service's answer to the POST of a route with `prepare`, at
 * once and as it grows: the path that the broker goes to is the configured one
 * with one plain segment in its place, which jansson finds in the body as well.
 */
#include "broker/admission/prepared_path.h"

#include "fuzz.h"

#include <jansson.h>
#include <string.h>

#define BEFORE "/api/mcp/ws/"
#define BEHIND "/open"

static char post[] = "/api/mcp/ws/connect", member[] = "server_params", from[] = "",
            session_id[] = "session_id", then[] = BEFORE "{answer}" BEHIND;
static const struct route_prepare rule = {post, member, from, session_id, then};

static void check_path(struct span answer, const struct buffer *path)
{
    size_t around = strlen(BEFORE) + strlen(BEHIND), body_at;
    struct http_response response;
    const json_t *value;
    char segment[256];
    json_t *root;

    require(path->length > around && path->length - around < sizeof(segment));
    require(strncmp(path->data, BEFORE, strlen(BEFORE)) == 0);
    require(strcmp(path->data + path->length - strlen(BEHIND), BEHIND) == 0);
    memcpy(segment, path->data + strlen(BEFORE), path->length - around);
    segment[path->length - around] = '\0';
    for (const char *at = segment; *at != '\0'; at++)
        require(*at > ' ' && *at < 0x7f && strchr("/?#%;&\\.", *at) == NULL);

    require(http_response_parse(answer.data, answer.length, &response) == HTTP_COMPLETE);
    require(response.status >= 200 && response.status <= 299);
    body_at = response.head_bytes;
    root = json_loadb(answer.data + body_at, answer.length - body_at,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    value = json_object_get(root, session_id);
    require(json_string_length(value) == strlen(segment));
    require(memcmp(json_string_value(value), segment, strlen(segment)) == 0);
    json_decref(root);
}

static enum http_progress read_path(struct span answer, bool ended, struct buffer *path)
{
    enum reason reason = REASON_ALLOWED;
    enum http_progress progress;

    buffer_init(path, PREPARED_PATH_BYTES_MAX);
    progress = prepared_path_read(&rule, answer, ended, path, &reason);
    require(!(ended && progress == HTTP_MORE));
    require(progress != HTTP_FAULT || !reason_allows(reason));
    if (progress == HTTP_COMPLETE)
        check_path(answer, path);
    return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_copy((struct span){(const char *)data, size});
    struct buffer path, at_the_end;
    enum http_progress open, ended;

    require(text != NULL);
    open = read_path((struct span){text, size}, false, &path);
    ended = read_path((struct span){text, size}, true, &at_the_end);
    /* What is whole before the end is the same at the end. */
    if (open != HTTP_MORE)
        require(open == ended);
    if (open == HTTP_COMPLETE)
        require(strcmp(path.data, at_the_end.data) == 0);
    buffer_clear(&path);
    buffer_clear(&at_the_end);
    free(text);
    return 0;
}
