#include "broker/control/input.h"

#include "json/parse.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MASK           "***"
#define MASK_DEPTH_MAX 64

/* An array of strings; null is as good as nothing. */
static enum error read_list(const json_t *value, struct text_list *list, bool *set)
{
    if (value == NULL || json_is_null(value))
        return OK;
    if (!json_is_array(value) || json_array_size(value) > SESSION_LIST_MAX)
        return ERROR_INVALID;
    *set = true;
    return json_texts(value, list);
}

static enum error read_callers(const json_t *value, struct session *session)
{
    size_t count = json_array_size(value);

    if (value == NULL || json_is_null(value))
        return OK;
    if (!json_is_array(value) || count > SESSION_CALLERS_MAX)
        return ERROR_INVALID;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        json_int_t uid = json_integer_value(item);

        /* (uid_t)-1 means "no uid" to the kernel. */
        if (!json_is_integer(item) || uid < 0 || uid >= (json_int_t)UINT32_MAX)
            return ERROR_INVALID;
        session->callers[session->caller_count++] = (uint32_t)uid;
    }
    session->callers_set = true;
    return OK;
}

static enum error load_body(struct operation *operation, struct span body, json_t **out)
{
    enum error error = json_parse(body.data, body.length, out);

    if (error == OK)
        return OK;
    return operation_fail(operation, error,
                          "the body is not one JSON object in strict form (no duplicate keys, NUL "
                          "bytes or deep nesting)");
}

static bool copy_name(const char *name, char out[TOKEN_NAME_SIZE])
{
    return name[0] != '\0' && snprintf(out, TOKEN_NAME_SIZE, "%s", name) < TOKEN_NAME_SIZE;
}

/* The members of a session; "!" at the end of the format: there are no others. */
static enum error read_members(struct operation *operation, json_t *root, struct session *out,
                               int64_t *ttl_s)
{
    json_t *params = NULL, *verbs = NULL, *targets = NULL, *callers = NULL;
    json_error_t wrong;
    json_int_t seconds = SESSION_TTL_DEFAULT_S;
    const char *surface;
    int once = false;
    enum error error;

    if (json_unpack_ex(root, &wrong, 0, "{s:s, s?o, s?I, s?b, s?o, s?o, s?o !}", "surface",
                       &surface, "params", &params, "ttl_s", &seconds, "once", &once, "verbs",
                       &verbs, "targets", &targets, "callers", &callers) != 0)
        return operation_fail(operation, ERROR_INVALID, "the body is no session: %.160s",
                              wrong.text);
    *ttl_s = seconds;
    out->once = once;
    if (params != NULL && !json_is_string(params) && !json_is_null(params))
        return operation_fail(operation, ERROR_INVALID,
                              "\"params\" must be a parameter record's name, or null");
    if (!copy_name(surface, out->surface) ||
        (json_is_string(params) && !copy_name(json_string_value(params), out->params_name)))
        return operation_fail(operation, ERROR_INVALID,
                              "the names of surfaces and parameter records are 1 to %d bytes",
                              TOKEN_NAME_SIZE - 1);
    error = read_list(verbs, &out->verbs, &out->verbs_set);
    if (error == OK)
        error = read_list(targets, &out->targets, &out->targets_set);
    if (error == ERROR_INVALID)
        return operation_fail(
            operation, error,
            "\"verbs\" and \"targets\" must be arrays of at most %d strings, or null",
            SESSION_LIST_MAX);
    if (error == OK && read_callers(callers, out) != OK)
        return operation_fail(operation, ERROR_INVALID,
                              "\"callers\" must be an array of at most %d uids, or null",
                              SESSION_CALLERS_MAX);
    return error;
}

enum error control_input_session(struct operation *operation, struct span body, struct session *out,
                                 int64_t *ttl_s)
{
    json_t *root = NULL;
    enum error error = load_body(operation, body, &root);

    *out = (struct session){0};
    if (error == OK)
        error = read_members(operation, root, out, ttl_s);
    json_decref(root);
    if (error != OK)
        session_clear(out);
    return error;
}

enum error control_input_renewal(struct operation *operation, struct span body, int64_t *ttl_s)
{
    json_int_t seconds = SESSION_TTL_DEFAULT_S;
    json_t *root = NULL;
    enum error error = body.length > 0 ? load_body(operation, body, &root) : OK;

    if (root != NULL && json_unpack(root, "{s:I !}", "ttl_s", &seconds) != 0)
        error = operation_fail(
            operation, ERROR_INVALID,
            "a renewal takes an object with \"ttl_s\" alone, a whole number of seconds");
    json_decref(root);
    if (error == OK)
        *ttl_s = seconds;
    return error;
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

static json_t *mask_value(const char *key, json_t *value, bool hidden, unsigned depth)
{
    json_t *masked, *item;
    const char *name;
    size_t i;
    int result = 0;

    if (depth > MASK_DEPTH_MAX)
        return json_string(MASK);
    if (!json_is_object(value) && !json_is_array(value))
        return mask_scalar(key, value, hidden);
    masked = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(value, name, item)
    {
        bool secret = hidden || strcmp(name, "env") == 0 || strcmp(name, "headers") == 0;

        result |= json_object_set_new(masked, name, mask_value(name, item, secret, depth + 1));
    }
    json_array_foreach(value, i, item)
    {
        result |= json_array_append_new(masked, mask_value(NULL, item, hidden, depth + 1));
    }
    if (result == 0)
        return masked;
    json_decref(masked);
    return NULL;
}

enum error control_input_mask(struct buffer *out, struct span record, bool reveal)
{
    json_t *root, *shown;
    enum error error;

    if (reveal) {
        buffer_append(out, record.data, record.length);
        return buffer_failed(out) ? ERROR_LIMIT : OK;
    }
    error = json_parse(record.data, record.length, &root);
    if (error != OK)
        return error;
    shown = mask_value(NULL, root, false, 0);
    json_decref(root);
    return json_append(out, shown);
}
