#include "json/parse.h"

#include "json/scan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REAL_TEXT_SIZE 32

/* Maps the scanner's verdict: too much of something is a limit, the rest is syntax. */
static enum error scan(const char *text, size_t length)
{
    struct json_scan *scanner;
    enum error error = json_scan_create(&scanner);
    enum reason reason;

    if (error != OK)
        return error;
    reason = json_scan_text(scanner, text, length, NULL);
    json_scan_destroy(scanner);
    switch (reason) {
    case REASON_ALLOWED:
        return OK;
    case REASON_JSON_DEPTH:
    case REASON_JSON_MEMBERS:
    case REASON_JSON_VALUES:
    case REASON_JSON_RECORDED:
        return ERROR_LIMIT;
    case REASON_INTERNAL:
        return ERROR_MEMORY;
    default:
        return ERROR_SYNTAX;
    }
}

enum error json_parse(const char *text, size_t length, json_t **out)
{
    enum error error = scan(text, length);
    json_t *root;

    if (error != OK)
        return error;
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        return ERROR_SYNTAX;
    *out = root;
    return OK;
}

enum error json_texts(const json_t *array, struct text_list *out)
{
    enum error error = OK;
    json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (error == OK)
            error = json_is_string(item)
                        ? text_list_add(out, json_string_value(item), json_string_length(item))
                        : ERROR_INVALID;
    }
    return error;
}

static int append(const char *bytes, size_t length, void *context)
{
    struct buffer *out = context;

    buffer_append_shown(out, bytes, length); /* jansson dumps whole characters */
    return buffer_failed(out) ? -1 : 0;
}

enum error json_append(struct buffer *out, json_t *document)
{
    int result = document != NULL ? json_dump_callback(document, append, out, JSON_COMPACT) : -1;

    json_decref(document);
    return result == 0 || buffer_failed(out) ? OK : ERROR_MEMORY;
}

/* ---- Canonical form ---- */

/* The shortest decimal that reads back as the same double, always with a '.' or an exponent. */
static void append_real(struct buffer *out, double value)
{
    char text[REAL_TEXT_SIZE];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_append_text(out, text);
    if (strpbrk(text, ".e") == NULL)
        buffer_append_text(out, ".0");
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* An object's keys in byte order, borrowed from it; NULL without memory. */
static const char **sorted_keys(json_t *object)
{
    const char **keys = malloc((json_object_size(object) + 1) * sizeof(*keys));
    size_t count = 0;
    const char *key;
    json_t *value;

    if (keys == NULL)
        return NULL;
    json_object_foreach(object, key, value)
    {
        keys[count++] = key;
    }
    keys[count] = NULL;
    qsort(keys, count, sizeof(*keys), compare_keys);
    return keys;
}

static void append_object(struct buffer *out, json_t *object)
{
    const char **keys = sorted_keys(object);

    if (keys == NULL) {
        out->failed = true;
        return;
    }
    buffer_append_text(out, "{");
    for (size_t i = 0; keys[i] != NULL; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        buffer_append_canonical_string(out, keys[i], strlen(keys[i]));
        buffer_append_text(out, ":");
        canonical_append(out, json_object_get(object, keys[i]));
    }
    buffer_append_text(out, "}");
    free(keys);
}

static void append_array(struct buffer *out, json_t *array)
{
    buffer_append_text(out, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        canonical_append(out, json_array_get(array, i));
    }
    buffer_append_text(out, "]");
}

void canonical_append(struct buffer *out, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        append_object(out, value);
        break;
    case JSON_ARRAY:
        append_array(out, value);
        break;
    case JSON_STRING:
        buffer_append_canonical_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buffer_append_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        append_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buffer_append_text(out, "true");
        break;
    case JSON_FALSE:
        buffer_append_text(out, "false");
        break;
    case JSON_NULL:
        buffer_append_text(out, "null");
        break;
    }
}

enum error canonical_digest(json_t *value, char out[SHA256_HEX_SIZE])
{
    struct buffer canonical;
    enum error error = OK;

    buffer_init(&canonical, CANONICAL_BYTES_MAX);
    canonical_append(&canonical, value);
    if (buffer_failed(&canonical))
        error = ERROR_LIMIT;
    else
        secret_sha256_hex(canonical.data, canonical.length, out);
    buffer_wipe(&canonical);
    return error;
}

enum error canonical_text_digest(const char *json, size_t length, char out[SHA256_HEX_SIZE])
{
    struct buffer wrapped;
    json_t *root = NULL;
    enum error error;

    if (length > CANONICAL_TEXT_BYTES_MAX)
        return ERROR_LIMIT;
    /* Scanner and parser take objects and arrays only: an array of one holds any value. */
    buffer_init(&wrapped, CANONICAL_TEXT_BYTES_MAX + 2);
    buffer_append_text(&wrapped, "[");
    buffer_append(&wrapped, json, length);
    buffer_append_text(&wrapped, "]");
    error =
        buffer_failed(&wrapped) ? ERROR_MEMORY : json_parse(wrapped.data, wrapped.length, &root);
    if (error == OK && json_array_size(root) != 1)
        error = ERROR_SYNTAX;
    if (error == OK)
        error = canonical_digest(json_array_get(root, 0), out);
    json_decref(root);
    buffer_wipe(&wrapped);
    return error;
}
