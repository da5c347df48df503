#include "json/scan_state.h"

#include <stdlib.h>

#define OPEN_MIN 64 /* room for so many open objects and arrays is kept between texts */

enum error json_scan_create(struct json_scan **out)
{
    struct json_scan *scan = malloc(sizeof(*scan));
    enum error error;

    if (scan == NULL)
        return ERROR_MEMORY;
    scan->count = 0;
    scan->root = JSON_NONE;
    scan->capacity = OPEN_MIN;
    scan->open = malloc((OPEN_MIN + 1) * sizeof(*scan->open));
    error = json_keys_init(&scan->keys);
    if (error == OK && scan->open == NULL)
        error = ERROR_MEMORY;
    if (error != OK) {
        json_scan_destroy(scan);
        return error;
    }
    *out = scan;
    return OK;
}

void json_scan_destroy(struct json_scan *scan)
{
    if (scan == NULL)
        return;
    json_keys_clear(&scan->keys);
    free(scan->open);
    free(scan);
}

enum reason scan_make_room(struct json_scan *scan)
{
    uint32_t capacity = scan->capacity + (scan->capacity > OPEN_MIN ? scan->capacity : OPEN_MIN);
    const size_t depth = scan_depth(scan);
    struct scan_container *open;

    if (depth >= scan->limits->depth)
        return REASON_JSON_DEPTH;
    open = realloc(scan->open, (capacity + 1) * sizeof(*open));
    if (open == NULL)
        return REASON_INTERNAL;
    scan->open = open;
    scan->top = open + depth;
    scan->capacity = capacity;
    scan_set_room(scan);
    return REASON_ALLOWED;
}

/* Keeps no more memory than most texts need. */
static void let_go(struct json_scan *scan)
{
    struct scan_container *open;

    json_keys_let_go(&scan->keys);
    if (scan->capacity == OPEN_MIN)
        return;
    open = realloc(scan->open, (OPEN_MIN + 1) * sizeof(*open));
    if (open != NULL) {
        scan->open = open;
        scan->capacity = OPEN_MIN;
    }
}

enum reason scan_end(struct json_scan *scan)
{
    let_go(scan);
    if (!reason_allows(scan->reason)) {
        scan->root = JSON_NONE;
        scan->count = 0;
    }
    return scan->reason;
}

static void move(struct span *span, const unsigned char *from, const unsigned char *to)
{
    if (span->data != NULL)
        span->data = (const char *)to + ((const unsigned char *)span->data - from);
}

void scan_move(struct json_scan *scan, const unsigned char *to)
{
    const unsigned char *from = scan->start;

    scan->at = to + (scan->at - from);
    scan->fault = to + (scan->fault - from);
    for (size_t i = 0; i < scan->count; i++) {
        move(&scan->members[i].key, from, to);
        move(&scan->members[i].value, from, to);
    }
}

enum json_type json_scan_root(const struct json_scan *scan)
{
    return scan->root;
}

size_t json_scan_count(const struct json_scan *scan)
{
    return scan->count;
}

const struct json_member *json_scan_member(const struct json_scan *scan, size_t index)
{
    return index < scan->count ? &scan->members[index] : NULL;
}

size_t json_scan_fault_offset(const struct json_scan *scan)
{
    return (size_t)(scan->fault - scan->start);
}

size_t json_scan_holds(const struct json_scan *scan)
{
    return sizeof(*scan) + scan->capacity * sizeof(*scan->open) + json_keys_holds(&scan->keys);
}
