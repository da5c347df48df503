/*
 * Vectors kept as lines: fields with a tab between, `#` starts a comment line.
 * The last field is hostile text, in which <HH> is the byte HH, <HH*N> the same
 * N times. Reading ends the test on a malformed file.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_FIELDS_MAX     6
#define VECTOR_TEXT_BYTES_MAX (256 * 1024)

struct vector_line {
    FILE *file;
    char *line; /* owned */
    size_t size;
    size_t number;
    char *fields[VECTOR_FIELDS_MAX];
    char *text; /* owned: the last field as bytes; exactly `length` of them are allocated */
    size_t length;
};

static inline void vector_fail(const struct vector_line *vector, const char *what)
{
    fprintf(stderr, "vector line %zu: %s\n", vector->number, what);
    abort();
}

static inline void vector_open(struct vector_line *vector, const char *path)
{
    *vector = (struct vector_line){.file = fopen(path, "r")};
    if (vector->file == NULL) {
        perror(path);
        abort();
    }
}

static inline void vector_close(struct vector_line *vector)
{
    fclose(vector->file);
    free(vector->line);
    free(vector->text);
}

static inline void vector_read_text(struct vector_line *vector, const char *from)
{
    char *bytes = malloc(VECTOR_TEXT_BYTES_MAX);
    size_t length = 0;

    while (bytes != NULL && *from != '\0') {
        size_t times = 1;
        int byte = (unsigned char)*from++;

        if (byte == '<') {
            char *end;

            byte = (int)strtol(from, &end, 16);
            times = *end == '*' ? strtoul(end + 1, &end, 10) : 1;
            if (end < from + 2 || *end != '>' || byte > 255)
                vector_fail(vector, "a bad <HH>");
            from = end + 1;
        }
        if (length + times > VECTOR_TEXT_BYTES_MAX)
            vector_fail(vector, "the text is too long");
        memset(bytes + length, byte, times);
        length += times;
    }
    /* A block of just this size, so that a sanitizer sees a read behind its end. */
    free(vector->text);
    vector->text = malloc(length > 0 ? length : 1);
    if (bytes == NULL || vector->text == NULL)
        vector_fail(vector, "out of memory");
    memcpy(vector->text, bytes, length);
    vector->length = length;
    free(bytes);
}

/* Reads the next vector of `count` fields; false at the end of the file. */
static inline bool vector_next(struct vector_line *vector, size_t count)
{
    ssize_t length;

    do {
        length = getline(&vector->line, &vector->size, vector->file);
        vector->number++;
        if (length < 0)
            return false;
        if (length > 0 && vector->line[length - 1] == '\n')
            vector->line[--length] = '\0';
    } while (length == 0 || vector->line[0] == '#');
    vector->fields[0] = vector->line;
    for (size_t i = 1; i < count; i++) {
        char *tab = strchr(vector->fields[i - 1], '\t');

        if (tab == NULL)
            vector_fail(vector, "too few fields");
        *tab = '\0';
        vector->fields[i] = tab + 1;
    }
    vector_read_text(vector, vector->fields[count - 1]);
    return true;
}
