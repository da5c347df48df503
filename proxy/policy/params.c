#include "policy/params.h"

#include "json/parse.h"
#include "json/walk.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POINTER_BYTES_MAX 4096
#define INDEX_TEXT_SIZE   24

struct params {
    json_t *root;
};

enum error params_parse(const char *text, size_t length, struct params **out)
{
    struct params *params;
    json_t *root;
    enum error error;

    if (length > PARAMS_BYTES_MAX)
        return ERROR_LIMIT;
    error = json_parse(text, length, &root);
    if (error != OK)
        return error;
    if (!json_is_object(root)) {
        json_decref(root);
        return ERROR_SYNTAX;
    }
    params = malloc(sizeof(*params));
    if (params == NULL) {
        json_decref(root);
        return ERROR_MEMORY;
    }
    params->root = root;
    *out = params;
    return OK;
}

void params_destroy(struct params *params)
{
    if (params == NULL)
        return;
    json_decref(params->root);
    free(params);
}

enum error params_digest(const struct params *params, char out[SHA256_HEX_SIZE])
{
    return canonical_digest(params->root, out);
}

/* The value a pointer leads to, borrowed; NULL if there is none. */
static json_t *find(json_t *value, const char *pointer)
{
    char token[POINTER_BYTES_MAX];
    size_t index;

    while (value != NULL && pointer != NULL && *pointer != '\0') {
        if (!json_pointer_next(&pointer, token, sizeof(token)))
            return NULL;
        if (json_is_object(value))
            value = json_object_get(value, token);
        else if (json_is_array(value) && json_pointer_index(token, &index))
            value = json_array_get(value, index);
        else
            return NULL;
    }
    return value;
}

enum error params_part_digest(const struct params *params, const char *pointer,
                              char out[SHA256_HEX_SIZE])
{
    json_t *part = find(params->root, pointer);

    return part != NULL ? canonical_digest(part, out) : ERROR_NOT_FOUND;
}

static enum error append_base64(json_t *part, struct buffer *out)
{
    struct buffer canonical;
    size_t size;
    char *room = NULL;

    buffer_init(&canonical, CANONICAL_BYTES_MAX);
    canonical_append(&canonical, part);
    size = 4 * ((canonical.length + 2) / 3);
    if (!buffer_failed(&canonical) && (room = buffer_reserve(out, size)) != NULL) {
        text_base64((const unsigned char *)canonical.data, canonical.length, room);
        buffer_commit(out, size);
    }
    buffer_wipe(&canonical);
    return room != NULL ? OK : ERROR_LIMIT;
}

/*
 * Words as a shell splits them (POSIX XCU 2.2.2). What single quotes cannot hold, or
 * what the services' own splitters read differently, is refused.
 */
static enum error append_words(json_t *list, struct buffer *out)
{
    size_t i;
    json_t *word;

    if (!json_is_array(list))
        return ERROR_INVALID;
    json_array_foreach(list, i, word)
    {
        const char *text = json_string_value(word);

        if (text == NULL || text_has_control(text) || strpbrk(text, "'\\") != NULL)
            return ERROR_INVALID;
        buffer_append_text(out, i > 0 ? " '" : "'");
        buffer_append_text(out, text);
        buffer_append_text(out, "'");
    }
    return buffer_failed(out) ? ERROR_LIMIT : OK;
}

enum error params_append_part(const struct params *params, const char *pointer,
                              enum inject_encoding encoding, struct buffer *out)
{
    json_t *part = find(params->root, pointer);

    if (part == NULL)
        return ERROR_NOT_FOUND;
    switch (encoding) {
    case INJECT_TEXT:
        if (!json_is_string(part))
            return ERROR_INVALID;
        buffer_append(out, json_string_value(part), json_string_length(part));
        break;
    case INJECT_JSON:
        canonical_append(out, part);
        break;
    case INJECT_SHELL_WORDS:
        return append_words(part, out);
    case INJECT_BASE64_JSON:
        return append_base64(part, out);
    }
    return buffer_failed(out) ? ERROR_LIMIT : OK;
}

struct walk {
    params_visit visit;
    void *context;
    struct buffer path; /* JSON pointer of where the walk is */
};

/* A member under its exact name; one that differs only by case is a fault, not a match. */
static json_t *exact_member(json_t *object, const char *name, bool *lookalike)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (strcasecmp(key, name) == 0 && strcmp(key, name) != 0)
            *lookalike = true;
    }
    return json_object_get(object, name);
}

/* The arguments' texts into `items` (room for one more than there are); what is wrong, or NULL. */
static const char *collect_arguments(json_t *args, const char **items)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(args); i++) {
        json_t *item = json_array_get(args, i);

        if (!json_is_string(item))
            return "an argument is not a string";
        items[count++] = json_string_value(item);
    }
    items[count] = NULL;
    return args == NULL || json_is_array(args) || json_is_null(args) ? NULL
                                                                     : "\"args\" is not an array";
}

static const char *collect_environment(json_t *env, const char **names)
{
    size_t count = 0;
    const char *name;
    json_t *value;

    if (env != NULL && !json_is_object(env) && !json_is_null(env)) {
        names[0] = NULL;
        return "\"env\" is not an object";
    }
    json_object_foreach(env, name, value)
    {
        if (!json_is_string(value))
            return "a value of \"env\" is not a string";
        names[count++] = name;
    }
    names[count] = NULL;
    return NULL;
}

static enum error visit_command(struct walk *walk, json_t *object)
{
    bool lookalike = false;
    json_t *command = exact_member(object, "command", &lookalike);
    json_t *args = exact_member(object, "args", &lookalike);
    json_t *env = exact_member(object, "env", &lookalike);
    const char **items = calloc(json_array_size(args) + 1, sizeof(*items));
    const char **names = calloc(json_object_size(env) + 1, sizeof(*names));
    struct params_command found = {.path = walk->path.data, .command = ""};
    enum error error = ERROR_MEMORY;

    if (items != NULL && names != NULL) {
        const char *args_fault = collect_arguments(args, items);
        const char *env_fault = collect_environment(env, names);

        found.args = items;
        found.env_names = names;
        found.fault = args_fault != NULL ? args_fault : env_fault;
        if (!json_is_string(command) || json_string_length(command) == 0)
            found.fault = "\"command\" is not a string with something in it";
        else
            found.command = json_string_value(command);
        if (lookalike)
            found.fault = "a member differs from \"command\", \"args\" or \"env\" only by case";
        error = walk->visit(walk->context, &found);
    }
    free(items);
    free(names);
    return error;
}

static void append_token(struct buffer *path, const char *key)
{
    size_t room = 2 * strlen(key) + 2;
    char *at = buffer_reserve(path, room);

    if (at != NULL)
        buffer_commit(path, json_pointer_escape(key, at, room));
}

static enum error walk_value(struct walk *walk, json_t *value);

/* Walks one child, with its key or index on the path meanwhile. */
static enum error walk_child(struct walk *walk, const char *key, json_t *child)
{
    size_t length = walk->path.length;
    enum error error;

    if (!json_is_object(child) && !json_is_array(child))
        return OK;
    append_token(&walk->path, key);
    if (buffer_failed(&walk->path))
        return ERROR_LIMIT;
    error = walk_value(walk, child);
    walk->path.length = length;
    walk->path.data[length] = '\0';
    return error;
}

static enum error walk_value(struct walk *walk, json_t *value)
{
    enum error error = OK;
    const char *key;
    json_t *child;
    bool lookalike = false;

    if (exact_member(value, "command", &lookalike) != NULL || lookalike)
        error = visit_command(walk, value);
    json_object_foreach(value, key, child)
    {
        if (error == OK)
            error = walk_child(walk, key, child);
    }
    for (size_t i = 0; i < json_array_size(value) && error == OK; i++) {
        char index[INDEX_TEXT_SIZE];

        snprintf(index, sizeof(index), "%zu", i);
        error = walk_child(walk, index, json_array_get(value, i));
    }
    return error;
}

enum error params_each_command(const struct params *params, params_visit visit, void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    enum error error;

    /* Every byte of a key may become two in the pointer, and each level adds a slash. */
    buffer_init(&walk.path, (size_t)2 * PARAMS_BYTES_MAX + JSON_DEPTH_MAX);
    buffer_append_text(&walk.path, "");
    error = buffer_failed(&walk.path) ? ERROR_MEMORY : walk_value(&walk, params->root);
    buffer_clear(&walk.path);
    return error;
}
