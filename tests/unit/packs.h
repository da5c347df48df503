/* The shipped dialect packs, for tests. */
#ifndef SIDELOCK_TESTS_PACKS_H
#define SIDELOCK_TESTS_PACKS_H

#include "dialect/dialect.h"

#include <stdio.h>
#include <stdlib.h>

/* The text of a shipped pack; the caller frees it. */
static inline char *pack_text(const char *name, size_t *length)
{
    char path[512], *text = malloc(DIALECT_BYTES_MAX);
    FILE *file;

    snprintf(path, sizeof(path), SOURCE_DIR "/config/dialects/%s.json", name);
    file = fopen(path, "r");
    if (file == NULL || text == NULL) {
        perror(path);
        abort();
    }
    *length = fread(text, 1, DIALECT_BYTES_MAX, file);
    fclose(file);
    return text;
}

static inline struct dialect *pack_load(const char *name)
{
    struct dialect_fault fault;
    struct dialect *dialect = NULL;
    size_t length;
    char *text = pack_text(name, &length);

    if (dialect_parse(text, length, &dialect, &fault) != OK) {
        fprintf(stderr, "%s%s: %s\n", name, fault.pointer, fault.text);
        abort();
    }
    free(text);
    return dialect;
}

#endif
