#include "wire/assembly.h"

#include <stdlib.h>
#include <string.h>

#define ASSEMBLY_BYTES_MIN 4096
#define ASSEMBLY_GROWTH    32

void assembly_begin(struct assembly *assembly, uint64_t now_ms)
{
    assembly_clear(assembly);
    assembly->active = true;
    assembly->since_ms = now_ms;
}

/*
 * Grows to what is promised, but to no more than so many times what has come so
 * far plus a floor: a promise alone buys nobody a large allocation.
 */
static enum error grow(struct assembly *assembly, size_t need, size_t promised)
{
    size_t capacity = ASSEMBLY_GROWTH * assembly->length;
    unsigned char *data;

    if (capacity > promised)
        capacity = promised;
    if (capacity < need)
        capacity = need;
    if (capacity < ASSEMBLY_BYTES_MIN)
        capacity = ASSEMBLY_BYTES_MIN;
    data = realloc(assembly->data, ASSEMBLY_HEADROOM + capacity);
    if (data == NULL)
        return ERROR_MEMORY;
    assembly->data = data;
    assembly->capacity = capacity;
    return OK;
}

enum error assembly_reserve(struct assembly *assembly, size_t length, uint64_t expected,
                            size_t max_bytes, unsigned char **room)
{
    size_t need = assembly->length + length;

    if (need > max_bytes || expected > max_bytes - need)
        return ERROR_LIMIT;
    if (need > assembly->capacity || assembly->data == NULL) {
        enum error error = grow(assembly, need, need + (size_t)expected);

        if (error != OK)
            return error;
    }
    *room = assembly->data + ASSEMBLY_HEADROOM + assembly->length;
    return OK;
}

void assembly_commit(struct assembly *assembly, size_t length)
{
    assembly->length += length;
}

enum error assembly_append(struct assembly *assembly, const unsigned char *bytes, size_t length,
                           uint64_t expected, size_t max_bytes)
{
    unsigned char *room;
    enum error error = assembly_reserve(assembly, length, expected, max_bytes, &room);

    if (error != OK)
        return error;
    if (length > 0 && bytes != room)
        memcpy(room, bytes, length);
    assembly_commit(assembly, length);
    return OK;
}

void assembly_clear(struct assembly *assembly)
{
    free(assembly->data);
    *assembly = (struct assembly){0};
}
