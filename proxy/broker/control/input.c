#include "broker/control/input.h"

#include "broker/control/exchange.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASK             "***"
#define MASK_DEPTH_MAX   64
#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

static enum error fault(char *why, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

static enum error fault(char *why, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, size, format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

/* The readers of members: ERROR_INVALID if the value is not what it must be. */

static enum error read_text(const json_t *value, void *into)
{
    if (!json_is_string(value))
        return ERROR_INVALID;
    *(const char **)into = json_string_value(value);
    return OK;
}

static enum error read_number(const json_t *value, void *into)
{
    if (!json_is_integer(value))
        return ERROR_INVALID;
    *(int64_t *)into = json_integer_value(value);
    return OK;
}

static enum error read_flag(const json_t *value, void *into)
{
    if (!json_is_boolean(value))
        return ERROR_INVALID;
    *(bool *)into = json_is_true(value);
    return OK;
}

static enum error read_list(const json_t *value, void *into)
{
    enum error error = OK;
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > SESSION_LIST_MAX)
        return ERROR_INVALID;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return ERROR_INVALID;
        error = text_list_add(into, json_string_value(item), json_string_length(item));
        if (error != OK)
            return error;
    }
    return OK;
}

static enum error read_uids(const json_t *value, void *into)
{
    struct session_callers *callers = into;
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > SESSION_CALLERS_MAX)
        return ERROR_INVALID;
    json_array_foreach(value, i, item)
    {
        json_int_t uid = json_integer_value(item);

        /* (uid_t)-1 means "no uid" to the kernel. */
        if (!json_is_integer(item) || uid < 0 || uid >= (json_int_t)UINT32_MAX)
            return ERROR_INVALID;
        callers->uids[callers->count++] = (uint32_t)uid;
    }
    return OK;
}

#define IN(member) offsetof(struct session_request, member)
#define NO_FLAG    SIZE_MAX

/* A member of a session's creation: `set`, where it has one, says that it was given. */
static const struct member {
    const char *name;
    enum error (*read)(const json_t *value, void *into);
    size_t offset, set;
    bool nullable; /* null is as good as nothing */
    const char *must;
} members[] = {
    {"surface", read_text, IN(surface), NO_FLAG, false, "a string"},
    {"params", read_text, IN(params), NO_FLAG, true, "a parameter record's name, or null"},
    {"ttl_s", read_number, IN(ttl_s), NO_FLAG, false, "a whole number of seconds"},
    {"once", read_flag, IN(once), NO_FLAG, false, "true or false"},
    {"verbs", read_list, IN(verbs), IN(verbs_set), true,
     "an array of at most " TEXT_OF(SESSION_LIST_MAX) " strings, or null"},
    {"targets", read_list, IN(targets), IN(targets_set), true,
     "an array of at most " TEXT_OF(SESSION_LIST_MAX) " strings, or null"},
    {"callers", read_uids, IN(callers), IN(callers_set), true,
     "an array of at most " TEXT_OF(SESSION_CALLERS_MAX) " uids, or null"},
};

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    }
    return NULL;
}

static enum error read_member(struct session_request *request, const char *name,
                              const json_t *value, char *why, size_t why_size)
{
    const struct member *member = find_member(name);
    enum error error;

    if (member == NULL)
        return fault(why, why_size, "a session has no member \"%.64s\"", name);
    if (member->nullable && json_is_null(value))
        return OK;
    error = member->read(value, (char *)request + member->offset);
    if (error == ERROR_INVALID)
        return fault(why, why_size, "\"%s\" must be %s", name, member->must);
    if (error == OK && member->set != NO_FLAG)
        *((bool *)(void *)((char *)request + member->set)) = true;
    return error;
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

/* The members of a body, which is one object; what is not in `request` before stays as it was. */
static enum error read_body(struct span body, struct session_request *request, json_t **root,
                            char *why, size_t why_size)
{
    json_error_t syntax = {0};
    enum error error = OK;
    const char *name;
    json_t *value;

    *root = load(body, &syntax);
    if (*root == NULL) {
        fault(why, why_size, "the body is not valid JSON: %.160s", syntax.text);
        return ERROR_SYNTAX;
    }
    if (!json_is_object(*root))
        return fault(why, why_size, "the body must be a JSON object");
    json_object_foreach(*root, name, value)
    {
        error = read_member(request, name, value, why, why_size);
        if (error != OK)
            break;
    }
    return error;
}

enum error control_input_session(struct span body, struct session_request *out, json_t **document,
                                 char *why, size_t why_size)
{
    struct session_request request = {.ttl_s = SESSION_TTL_DEFAULT_S};
    json_t *root;
    enum error error = read_body(body, &request, &root, why, why_size);

    if (error == OK && request.surface == NULL)
        error = fault(why, why_size, "\"surface\" is missing");
    if (error != OK) {
        control_input_clear(root, &request);
        return error;
    }
    *out = request;
    *document = root;
    return OK;
}

enum error control_input_renewal(struct span body, int64_t *ttl_s, char *why, size_t why_size)
{
    struct session_request request = {.ttl_s = SESSION_TTL_DEFAULT_S};
    enum error error = OK;
    json_t *root = NULL;

    if (body.length > 0)
        error = read_body(body, &request, &root, why, why_size);
    if (error == OK && root != NULL &&
        (json_object_size(root) != 1 || json_object_get(root, "ttl_s") == NULL))
        error = fault(why, why_size, "a renewal takes an object with \"ttl_s\" alone");
    if (error == OK)
        *ttl_s = request.ttl_s;
    control_input_clear(root, &request);
    return error;
}

void control_input_clear(json_t *document, struct session_request *request)
{
    text_list_clear(&request->verbs);
    text_list_clear(&request->targets);
    json_decref(document);
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

enum error control_input_mask(struct buffer *out, struct span record, bool reveal)
{
    json_error_t syntax = {0};
    json_t *root, *shown;

    if (reveal) {
        buffer_append(out, record.data, record.length);
        return buffer_failed(out) ? ERROR_LIMIT : OK;
    }
    root = load(record, &syntax);
    if (root == NULL)
        return ERROR_SYNTAX;
    shown = mask_value(NULL, root, false, 0);
    json_decref(root);
    return control_exchange_append(out, shown);
}
