/* Bytes that wait until a descriptor takes them; wiped when they have gone. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

/* Embedded by its user, who calls output_clear. */
struct output {
    struct buffer bytes;
    size_t gone; /* of them, at the front */
};

void output_init(struct output *output, size_t max_bytes);
void output_clear(struct output *output);
/* False without memory or beyond the limit. */
bool output_add(struct output *output, const char *bytes, size_t length) MUST_CHECK;
struct span output_rest(const struct output *output);
/* So many of the rest have been taken. */
void output_taken(struct output *output, size_t length);
