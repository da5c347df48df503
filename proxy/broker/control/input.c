#include "broker/control/input.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASK           "***"
#define MASK_DEPTH_MAX 64

struct control_document {
    json_t *root;
};

static enum error fault(char *why, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

static enum error fault(char *why, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, size, format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

struct reading {
    struct session_request *request;
    char *why;
    size_t why_size;
};

static enum error read_surface(struct reading *reading, const json_t *value)
{
    if (!json_is_string(value))
        return fault(reading->why, reading->why_size, "\"surface\" must be a string");
    reading->request->surface = json_string_value(value);
    return OK;
}

static enum error read_params(struct reading *reading, const json_t *value)
{
    if (json_is_null(value))
        return OK;
    if (!json_is_string(value))
        return fault(reading->why, reading->why_size,
                     "\"params\" must be a parameter record's name, or null");
    reading->request->params = json_string_value(value);
    return OK;
}

static enum error read_ttl(struct reading *reading, const json_t *value)
{
    if (!json_is_integer(value))
        return fault(reading->why, reading->why_size,
                     "\"ttl_s\" must be a whole number of seconds");
    reading->request->ttl_s = json_integer_value(value);
    return OK;
}

static enum error read_once(struct reading *reading, const json_t *value)
{
    if (!json_is_boolean(value))
        return fault(reading->why, reading->why_size, "\"once\" must be true or false");
    reading->request->once = json_is_true(value);
    return OK;
}

static enum error read_list(struct reading *reading, const char *name, const json_t *value,
                            struct text_list *list, bool *set)
{
    size_t count = json_array_size(value);

    if (json_is_null(value))
        return OK;
    if (!json_is_array(value) || count > SESSION_LIST_MAX)
        return fault(reading->why, reading->why_size,
                     "\"%s\" must be an array of at most %d strings, or null", name,
                     SESSION_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        enum error error;

        if (!json_is_string(item))
            return fault(reading->why, reading->why_size, "\"%s\" must hold strings only", name);
        error = text_list_add(list, json_string_value(item), json_string_length(item));
        if (error != OK)
            return error;
    }
    *set = true;
    return OK;
}

static enum error read_verbs(struct reading *reading, const json_t *value)
{
    return read_list(reading, "verbs", value, &reading->request->verbs,
                     &reading->request->verbs_set);
}

static enum error read_targets(struct reading *reading, const json_t *value)
{
    return read_list(reading, "targets", value, &reading->request->targets,
                     &reading->request->targets_set);
}

static enum error read_callers(struct reading *reading, const json_t *value)
{
    struct session_request *request = reading->request;
    size_t count = json_array_size(value);

    if (json_is_null(value))
        return OK;
    if (!json_is_array(value) || count > SESSION_CALLERS_MAX)
        return fault(reading->why, reading->why_size,
                     "\"callers\" must be an array of at most %d uids, or null",
                     SESSION_CALLERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        json_int_t uid = json_integer_value(item);

        /* (uid_t)-1 means "no uid" to the kernel. */
        if (!json_is_integer(item) || uid < 0 || uid >= (json_int_t)UINT32_MAX)
            return fault(reading->why, reading->why_size, "\"callers\" must hold uids only");
        request->callers[request->caller_count++] = (uint32_t)uid;
    }
    request->callers_set = true;
    return OK;
}

static const struct {
    const char *name;
    enum error (*read)(struct reading *reading, const json_t *value);
} session_members[] = {
    {"surface", read_surface}, {"params", read_params}, {"ttl_s", read_ttl},
    {"once", read_once},       {"verbs", read_verbs},   {"targets", read_targets},
    {"callers", read_callers},
};

static enum error read_member(struct reading *reading, const char *name, const json_t *value)
{
    for (size_t i = 0; i < sizeof(session_members) / sizeof(session_members[0]); i++) {
        if (strcmp(session_members[i].name, name) == 0)
            return session_members[i].read(reading, value);
    }
    return fault(reading->why, reading->why_size, "a session has no member \"%.64s\"", name);
}

static enum error read_members(struct reading *reading, json_t *root)
{
    const char *name;
    json_t *value;

    if (!json_is_object(root))
        return fault(reading->why, reading->why_size, "the body must be a JSON object");
    json_object_foreach(root, name, value)
    {
        enum error error = read_member(reading, name, value);

        if (error != OK)
            return error;
    }
    if (reading->request->surface == NULL)
        return fault(reading->why, reading->why_size, "\"surface\" is missing");
    return OK;
}

/* jansson lets a NUL pass after a number or literal. */
static json_t *load(struct span text, json_error_t *error)
{
    if (text.length == 0 || memchr(text.data, '\0', text.length) != NULL) {
        snprintf(error->text, sizeof(error->text), "it is empty or holds a NUL byte");
        return NULL;
    }
    return json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, error);
}

enum error control_input_session(struct span body, struct session_request *out,
                                 struct control_document **document, char *why, size_t why_size)
{
    struct session_request request = {.ttl_s = SESSION_TTL_DEFAULT_S};
    struct reading reading = {&request, why, why_size};
    struct control_document *holder;
    json_error_t syntax = {0};
    enum error error;

    holder = calloc(1, sizeof(*holder));
    if (holder == NULL)
        return ERROR_MEMORY;
    holder->root = load(body, &syntax);
    if (holder->root == NULL) {
        fault(why, why_size, "the body is not valid JSON: %.160s", syntax.text);
        error = ERROR_SYNTAX;
    } else {
        error = read_members(&reading, holder->root);
    }
    if (error != OK) {
        control_input_clear(holder, &request);
        return error;
    }
    *out = request;
    *document = holder;
    return OK;
}

enum error control_input_renewal(struct span body, int64_t *ttl_s, char *why, size_t why_size)
{
    struct session_request request = {.ttl_s = SESSION_TTL_DEFAULT_S};
    struct reading reading = {&request, why, why_size};
    json_error_t syntax = {0};
    enum error error = OK;
    json_t *root = NULL;

    if (body.length > 0) {
        root = load(body, &syntax);
        if (root == NULL) {
            fault(why, why_size, "the body is not valid JSON: %.160s", syntax.text);
            return ERROR_SYNTAX;
        }
        if (!json_is_object(root) || json_object_size(root) != 1 ||
            json_object_get(root, "ttl_s") == NULL)
            error = fault(why, why_size, "a renewal takes an object with \"ttl_s\" alone");
        else
            error = read_ttl(&reading, json_object_get(root, "ttl_s"));
        json_decref(root);
    }
    if (error == OK)
        *ttl_s = request.ttl_s;
    return error;
}

void control_input_clear(struct control_document *document, struct session_request *request)
{
    text_list_clear(&request->verbs);
    text_list_clear(&request->targets);
    if (document == NULL)
        return;
    json_decref(document->root);
    free(document);
}

/* Scheme and host of a URL: what comes before and after can hold credentials. */
static json_t *mask_url(const char *url)
{
    const char *host = strstr(url, "://");
    const char *end, *at;

    if (host == NULL)
        return json_string(MASK);
    host += 3;
    end = host + strcspn(host, "/?#\\");
    at = memrchr(host, '@', (size_t)(end - host));
    if (at != NULL)
        host = at + 1;
    return json_sprintf("%.*s%.*s/" MASK, (int)(strstr(url, "://") + 3 - url), url,
                        (int)(end - host), host);
}

static json_t *mask_scalar(const char *key, json_t *value, bool hidden)
{
    static const char *const shown[] = {"type", "command", "cwd"};

    if (json_is_boolean(value) || json_is_null(value))
        return json_incref(value);
    if (hidden || key == NULL || !json_is_string(value))
        return json_string(MASK);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (strcmp(key, shown[i]) == 0)
            return json_incref(value);
    }
    return strcmp(key, "url") == 0 ? mask_url(json_string_value(value)) : json_string(MASK);
}

static json_t *mask_value(const char *key, json_t *value, bool hidden, unsigned depth);

static json_t *mask_object(json_t *value, bool hidden, unsigned depth)
{
    json_t *masked = json_object();
    const char *key;
    json_t *item;

    json_object_foreach(value, key, item)
    {
        bool secret = hidden || strcmp(key, "env") == 0 || strcmp(key, "headers") == 0;

        if (json_object_set_new(masked, key, mask_value(key, item, secret, depth + 1)) != 0) {
            json_decref(masked);
            return NULL;
        }
    }
    return masked;
}

static json_t *mask_array(json_t *value, bool hidden, unsigned depth)
{
    json_t *masked = json_array();
    json_t *item;
    size_t i;

    json_array_foreach(value, i, item)
    {
        if (json_array_append_new(masked, mask_value(NULL, item, hidden, depth + 1)) != 0) {
            json_decref(masked);
            return NULL;
        }
    }
    return masked;
}

static json_t *mask_value(const char *key, json_t *value, bool hidden, unsigned depth)
{
    if (depth > MASK_DEPTH_MAX)
        return json_string(MASK);
    if (json_is_object(value))
        return mask_object(value, hidden, depth);
    if (json_is_array(value))
        return mask_array(value, hidden, depth);
    return mask_scalar(key, value, hidden);
}

static int append(const char *bytes, size_t length, void *context)
{
    struct buffer *out = context;

    buffer_append(out, bytes, length);
    return buffer_failed(out) ? -1 : 0;
}

enum error control_input_mask(struct buffer *out, struct span record, bool reveal)
{
    json_error_t syntax = {0};
    json_t *root, *shown;
    int result;

    if (reveal) {
        buffer_append(out, record.data, record.length);
        return buffer_failed(out) ? ERROR_LIMIT : OK;
    }
    root = load(record, &syntax);
    if (root == NULL)
        return ERROR_SYNTAX;
    shown = mask_value(NULL, root, false, 0);
    json_decref(root);
    if (shown == NULL)
        return ERROR_MEMORY;
    result = json_dump_callback(shown, append, out, JSON_COMPACT);
    json_decref(shown);
    return result == 0 ? OK : ERROR_LIMIT;
}
