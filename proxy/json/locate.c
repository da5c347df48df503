/* json_scan_locate() and json_scan_unescape(): apart from the scanner, which they do not use. */
#include "json/chars.h"
#include "json/pointer.h"
#include "json/scan.h"
#include "json/walk.h"

#include <string.h>

#define POINTER_TOKEN_BYTES_MAX 256

/* Finds the member or element that a token names in a value. */
static bool find(struct span value, const char *token, struct json_walk_entry *out)
{
    struct json_walk walk;
    size_t index;

    if (!json_walk_enter(&walk, value))
        return false;
    if (walk.object) {
        while (json_walk_next(&walk, out)) {
            if (json_walk_key_is(out->key, token))
                return true;
        }
        return false;
    }
    if (!json_pointer_index(token, &index))
        return false;
    while (json_walk_next(&walk, out)) {
        if (index-- == 0)
            return true;
    }
    return false;
}

bool json_scan_locate(const char *text, size_t length, const char *pointer, size_t *offset)
{
    struct json_walk_entry entry = {.value = {text, length}};
    char token[POINTER_TOKEN_BYTES_MAX];
    const char *where = text;

    while (where < text + length && *where != '\0' && strchr(" \n\r\t", *where) != NULL)
        where++;
    while (*pointer == '/') {
        if (!json_pointer_next(&pointer, token, sizeof(token)) || !find(entry.value, token, &entry))
            return false;
        /* A key's quote is part of it for those who read. */
        where = entry.key.data != NULL ? entry.key.data - 1 : entry.value.data;
    }
    if (*pointer != '\0' || where == text + length)
        return false;
    *offset = (size_t)(where - text);
    return true;
}

enum error json_scan_unescape(struct span value, char *out, size_t capacity, size_t *length)
{
    struct json_chars string;
    size_t used = 0;
    uint32_t character;

    if (value.length < 2 || value.data[0] != '"' || value.data[value.length - 1] != '"')
        return ERROR_SYNTAX;
    string = json_chars_of((struct span){value.data + 1, value.length - 2}, true);
    while ((character = json_chars_next(&string)) < JSON_CHARS_FAULT) {
        unsigned char bytes[JSON_CHARS_BYTES_MAX];
        size_t size = json_chars_encode(character, bytes);

        if (size + 1 > capacity - used)
            return ERROR_LIMIT;
        memcpy(out + used, bytes, size);
        used += size;
    }
    if (character == JSON_CHARS_FAULT)
        return ERROR_SYNTAX;
    if (used == capacity)
        return ERROR_LIMIT;
    out[used] = '\0';
    *length = used;
    return OK;
}
