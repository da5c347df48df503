/* What readers ask of a text that was scanned (scan.h): members by name, strings, places. */
#include "json/chars.h"
#include "json/scan.h"
#include "json/walk.h"

#include <string.h>

#define POINTER_TOKEN_BYTES_MAX 256

const struct json_member *json_scan_find(const struct json_scan *scan, int parent, const char *key)
{
    const size_t count = json_scan_count(scan);
    const struct span wanted = span_of(key);

    for (size_t i = 0; i < count; i++) {
        const struct json_member *member = json_scan_member(scan, i);

        if (member->parent == parent && span_same(member->key, wanted))
            return member;
    }
    return NULL;
}

int json_scan_lookalike(const struct json_scan *scan, int parent, const char *key)
{
    const size_t count = json_scan_count(scan);
    const struct span wanted = span_of(key);

    for (size_t i = 0; i < count; i++) {
        const struct json_member *member = json_scan_member(scan, i);

        if (member->parent == parent && json_chars_may_fold_to(member->key, key) &&
            !span_same(member->key, wanted) && json_chars_folds_to(member->key, key))
            return (int)i;
    }
    return -1;
}

int json_scan_index(const struct json_scan *scan, const struct json_member *member)
{
    return (int)(member - json_scan_member(scan, 0));
}

const struct json_member *json_scan_find_in(const struct json_scan *scan,
                                            const struct json_member *object, const char *key)
{
    if (object == NULL || object->type != JSON_TYPE_OBJECT)
        return NULL;
    return json_scan_find(scan, json_scan_index(scan, object), key);
}

static enum json_type type_of(struct span value)
{
    switch (value.data[0]) {
    case '"':
        return JSON_TYPE_STRING;
    case '{':
        return JSON_TYPE_OBJECT;
    case '[':
        return JSON_TYPE_ARRAY;
    default:
        return JSON_TYPE_NULL;
    }
}

struct json_member json_member_of(struct span value)
{
    struct json_member member = {.value = value, .type = type_of(value), .parent = -1};

    member.value_escaped = memchr(value.data, '\\', value.length) != NULL;
    if (member.value_escaped && member.type == JSON_TYPE_STRING)
        member.odd = json_chars_odd((struct span){value.data + 1, value.length - 2});
    return member;
}

enum reason json_scan_member_of(struct span object, const char *key, struct json_member *out)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    *out = (struct json_member){.type = JSON_NONE, .parent = -1};
    if (!json_walk_enter(&walk, object))
        return REASON_ALLOWED;
    while (json_walk_next(&walk, &entry)) {
        if (entry.key.data == NULL)
            return REASON_ALLOWED;
        if (span_equals(entry.key, key)) {
            *out = json_member_of(entry.value);
            out->key = entry.key;
        } else if (json_chars_may_fold_to(entry.key, key) && json_chars_folds_to(entry.key, key)) {
            return REASON_KEY_RESEMBLES;
        }
    }
    return REASON_ALLOWED;
}

/* Finds the member or element that a token names in a value. */
static bool find(struct span value, const char *token, struct json_walk_entry *out)
{
    struct json_walk walk;
    size_t index;

    if (!json_walk_enter(&walk, value))
        return false;
    if (walk.object) {
        while (json_walk_next(&walk, out)) {
            if (json_chars_equal(out->key, token))
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

bool json_member_text(const struct json_member *member, char *room, size_t capacity,
                      struct span *out)
{
    size_t length;

    if (member == NULL || member->type != JSON_TYPE_STRING)
        return false;
    *out = (struct span){member->value.data + 1, member->value.length - 2};
    if (!member->value_escaped)
        return true;
    if (json_scan_unescape(member->value, room, capacity, &length) != OK)
        return false;
    *out = (struct span){room, length};
    return true;
}
