/*
 * A JSON document that people wrote, while it is being read: the place where
 * reading is (RFC 6901), and the faults found so far. json/table.h reads whole
 * objects with it.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_POINTER_BYTES_MAX 1024
#define JSON_FAULTS_MAX        64

struct json_t; /* jansson's, which only .c files include */

/*
 * One fault: where (pointer and line, 1-based; 0 if unknown) and what to do
 * about it. A fault within a document that has a name has that and '#' before
 * its pointer.
 */
struct json_fault {
    char pointer[192];
    unsigned line;
    char text[WHY_SIZE];
};

struct json_faults {
    struct json_fault items[JSON_FAULTS_MAX];
    size_t count; /* faults beyond the maximum are dropped */
};

struct json_reader {
    const char
        *text; /* the document, for line numbers; borrowed until it is parsed, then `plain` */
    size_t length;
    char *plain;      /* without its comments; NULL: not parsed */
    const char *name; /* for faults; NULL: the document that is meant anyway */
    struct json_faults *faults;
    void *context;                        /* whatever else its readers need */
    unsigned line;                        /* of all faults; 0: found by the pointer */
    bool faulty;                          /* also when *faults is full */
    bool out_of_memory;                   /* nothing read is complete */
    char pointer[JSON_POINTER_BYTES_MAX]; /* where reading is */
};

/* Parses the document strictly, but for comments (json/comments.h); NULL after a fault. Freed by
 * json_decref. */
struct json_t *json_reader_parse(struct json_reader *reader);
/* After the last fault: frees what the reader itself keeps. */
void json_reader_end(struct json_reader *reader);
/* OK, or why what was read is not to be used: ERROR_MEMORY, ERROR_INVALID. */
enum error json_reader_result(const struct json_reader *reader);

/* Goes to a member or an element; leaving restores the place that entering returned. */
size_t json_reader_enter(struct json_reader *reader, const char *key);
size_t json_reader_enter_index(struct json_reader *reader, size_t index);
void json_reader_leave(struct json_reader *reader, size_t place);

/* Notes a fault at the place where reading is. The very same fault is noted once. */
#define json_reader_fault(reader, ...) json_reader_fault_at(reader, NULL, __VA_ARGS__)
/* The same at a member of that place, or a member's member: "limits/max_connections". */
void json_reader_fault_at(struct json_reader *reader, const char *below, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* What an object says about faults of its keys is told in the order of the text. */
void json_faults_sort(struct json_faults *faults);

/* Zeroed memory for reading into, or NULL; then out_of_memory is set. */
void *json_reader_allocate(struct json_reader *reader, size_t count, size_t size);
/* A copy, or NULL; then out_of_memory is set. */
char *json_reader_copy(struct json_reader *reader, const char *text);

/* NULL for a good string, or a static phrase that completes a sentence: `"x" must be ...`. */
typedef const char *(*json_check)(const char *text);
/* A json_check for names in messages: not empty, no control characters. */
const char *json_check_word(const char *text);

/* A copy of a string value of at most `maximum` bytes, checked; NULL after a fault. */
char *json_reader_text(struct json_reader *reader, const struct json_t *value, json_check check,
                       uint32_t maximum);
/* What a text stands for, allocated; NULL after a fault. */
typedef char *(*json_expand)(struct json_reader *reader, const char *text);
/* The same of what the string stands for. */
char *json_reader_expanded(struct json_reader *reader, const struct json_t *value,
                           json_expand expand, json_check check, uint32_t maximum);
/* An integer within bounds into *out; false after a fault. */
bool json_reader_number(struct json_reader *reader, const struct json_t *value, uint32_t minimum,
                        uint32_t maximum, uint32_t *out);
