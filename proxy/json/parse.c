#include "json/parse.h"

#include "json/scan.h"

#include <jansson.h>

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
    case REASON_JSON_LIMIT:
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

    buffer_append(out, bytes, length);
    return buffer_failed(out) ? -1 : 0;
}

enum error json_append(struct buffer *out, json_t *document)
{
    int result = document != NULL ? json_dump_callback(document, append, out, JSON_COMPACT) : -1;

    json_decref(document);
    return result == 0 || buffer_failed(out) ? OK : ERROR_MEMORY;
}
