/*
 * A message that does not lie in one read: put together piece by piece, with room in
 * front of it for whoever frames it anew.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSEMBLY_HEADROOM 64 /* bytes in front of the first piece */

/* All zero is a valid empty one. */
struct assembly {
    unsigned char *data; /* owned; the pieces begin ASSEMBLY_HEADROOM in; NULL: none yet */
    size_t length, capacity;
    bool active; /* begun and not cleared since: for its user, like the time */
    uint64_t since_ms;
};

void assembly_begin(struct assembly *assembly, uint64_t now_ms);

/*
 * Room for `length` more bytes, to be committed once they are there; `expected`
 * are to come behind them. ERROR_LIMIT beyond max_bytes.
 */
enum error assembly_reserve(struct assembly *assembly, size_t length, uint64_t expected,
                            size_t max_bytes, unsigned char **room) MUST_CHECK;
void assembly_commit(struct assembly *assembly, size_t length);
/* Both at once; the bytes may lie where they belong already. */
enum error assembly_append(struct assembly *assembly, const unsigned char *bytes, size_t length,
                           uint64_t expected, size_t max_bytes) MUST_CHECK;
void assembly_clear(struct assembly *assembly);
