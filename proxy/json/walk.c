#include "json/walk.h"

#include <string.h>

#define INDEX_DIGITS_MAX 9 /* of an array's index in a pointer */

static void skip_space(struct json_walk *walk)
{
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
        walk->at++;
}

/* Skips a string, `at` on its opening quote; gives what is between the quotes. */
static struct span skip_string(struct json_walk *walk)
{
    const char *start = ++walk->at;
    struct span inside;

    while (walk->at < walk->end && *walk->at != '"')
        walk->at += *walk->at == '\\' && walk->end - walk->at > 1 ? 2 : 1;
    inside = (struct span){start, (size_t)(walk->at - start)};
    if (walk->at < walk->end)
        walk->at++;
    return inside;
}

/* Skips a whole value with everything in it. */
static struct span skip_value(struct json_walk *walk)
{
    const char *start = walk->at;
    size_t depth = 0;

    while (walk->at < walk->end) {
        char byte = *walk->at;

        if (depth == 0 && strchr(",}] \n\r\t", byte) != NULL && byte != '\0')
            break;
        if (byte == '"') {
            skip_string(walk);
        } else {
            if (byte == '{' || byte == '[')
                depth++;
            else if (byte == '}' || byte == ']')
                depth--;
            walk->at++;
        }
        if (depth == 0 && (byte == '}' || byte == ']' || byte == '"'))
            break;
    }
    return (struct span){start, (size_t)(walk->at - start)};
}

bool json_walk_enter(struct json_walk *walk, struct span value)
{
    *walk = (struct json_walk){value.data, value.data + value.length, false, true};
    skip_space(walk);
    if (walk->at == walk->end || (*walk->at != '{' && *walk->at != '['))
        return false;
    walk->object = *walk->at++ == '{';
    return true;
}

bool json_walk_next(struct json_walk *walk, struct json_walk_entry *out)
{
    const char *start;

    /* Behind a value: its comma, or the end. */
    if (!walk->first && (walk->at == walk->end || *walk->at++ != ','))
        return false;
    walk->first = false;
    start = walk->at;
    skip_space(walk);
    *out = (struct json_walk_entry){0};
    if (walk->at == walk->end || *walk->at == '}' || *walk->at == ']')
        return false;
    if (walk->object) {
        if (*walk->at != '"')
            return false;
        out->key = skip_string(walk);
        skip_space(walk);
        if (walk->at == walk->end || *walk->at++ != ':')
            return false;
        skip_space(walk);
    }
    out->value = skip_value(walk);
    skip_space(walk);
    out->whole = (struct span){start, (size_t)(walk->at - start)};
    return out->value.length > 0;
}

/* ---- JSON pointers ---- */

bool json_pointer_next(const char **pointer, char *token, size_t capacity)
{
    const char *at = *pointer;
    size_t length = 0;

    if (*at++ != '/')
        return false;
    for (; *at != '\0' && *at != '/'; at++) {
        char byte = *at;

        if (byte == '~') {
            at++;
            if (*at != '0' && *at != '1')
                return false;
            byte = *at == '0' ? '~' : '/';
        }
        if (length + 1 >= capacity)
            return false;
        token[length++] = byte;
    }
    token[length] = '\0';
    *pointer = at;
    return true;
}

bool json_pointer_index(const char *token, size_t *out)
{
    uint64_t index;

    if ((token[0] == '0' && token[1] != '\0') ||
        !text_number(span_of(token), INDEX_DIGITS_MAX, &index))
        return false;
    *out = (size_t)index;
    return true;
}

size_t json_pointer_escape(const char *key, char *out, size_t capacity)
{
    size_t length = 0;

    if (capacity < 2)
        return 0;
    out[length++] = '/';
    for (; *key != '\0'; key++) {
        bool escaped = *key == '~' || *key == '/';

        if (length + 1 + escaped >= capacity)
            return 0;
        if (escaped)
            out[length++] = '~';
        out[length++] = (char)(*key == '~' ? '0' : *key == '/' ? '1' : *key);
    }
    out[length] = '\0';
    return length;
}
