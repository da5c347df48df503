/*
 * How JSON objects that people wrote become structs: one table an object, one row a key, in the
 * order in which keys are read. A key that no table has is a fault; so is a wrong type, a value out
 * of bounds, a missing key. Reading goes on after a fault, so that all are found at once.
 */
#pragma once

#include "json/reader.h"

enum json_key_type {
    JSON_KEY_IGNORED = 1, /* a string that only people and editors use */
    JSON_KEY_ELSEWHERE,   /* anything: somebody else reads it */
    JSON_KEY_TEXT,        /* char * */
    JSON_KEY_FLAG,        /* bool */
    JSON_KEY_NUMBER,      /* uint32_t */
    JSON_KEY_CHOICE,      /* an enum, by word */
    JSON_KEY_TEXTS,       /* struct text_list without duplicates */
    JSON_KEY_OBJECT,      /* another table's object: a struct in place, or allocated if `size` */
    JSON_KEY_LIST,        /* array -> allocated elements of `size`, each by `read` */
    JSON_KEY_MAP,         /* object with free keys -> the same */
    JSON_KEY_CUSTOM,      /* whatever `read` makes of it */
};

struct json_word {
    const char *word; /* NULL ends a list */
    unsigned value;
};

/* Reads one value into its place. */
typedef void (*json_read)(struct json_reader *reader, struct json_t *value, void *into);

struct json_table;

struct json_key {
    const char *name;
    enum json_key_type type;
    bool required;
    size_t offset;                  /* of the value in the struct */
    size_t count_offset;            /* LIST, MAP: of the size_t that counts the elements */
    size_t set_offset;              /* of a bool that says the key was there; 0: none */
    size_t size;                    /* of an element, or of an allocated OBJECT */
    size_t name_offset;             /* MAP: of the char * in an element that holds its key */
    size_t value_offset;            /* MAP: of what `read` or `table` fills; 0: all of it */
    uint32_t minimum;               /* NUMBER: value; TEXTS, LIST, MAP: how many */
    uint32_t maximum;               /* the same; TEXT: bytes, 0: JSON_TEXT_BYTES_MAX */
    uint32_t preset;                /* NUMBER, CHOICE: when the key is absent */
    const struct json_word *words;  /* CHOICE */
    json_check check;               /* TEXT, each of TEXTS, a MAP's keys; NULL: anything */
    json_expand expand;             /* TEXT, each of TEXTS, before the check; NULL: as it is */
    json_read read;                 /* LIST, MAP, CUSTOM; NULL: `table` reads an element */
    void (*clear)(void *value);     /* LIST, MAP, CUSTOM: frees what the table does not know */
    const struct json_table *table; /* OBJECT; LIST, MAP, CUSTOM: of objects within */
};

#define JSON_TEXT_BYTES_MAX 1024

/*
 * Rows, one a line: the key, the struct that owns the field, the field and what
 * goes with its type; then whatever else, like `.required = true`.
 */
#define ROW_TEXT(key, owner, field, checks, ...)                                                   \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_TEXT, .offset = offsetof(owner, field), .check = (checks), \
        __VA_ARGS__                                                                                \
    }
#define ROW_FLAG(key, owner, field)                                                                \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_FLAG, .offset = offsetof(owner, field)                     \
    }
#define ROW_NUMBER(key, owner, field, least, most, usual)                                          \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_NUMBER, .offset = offsetof(owner, field),                  \
        .minimum = (least), .maximum = (most), .preset = (usual)                                   \
    }
#define ROW_CHOICE(key, owner, field, choices, ...)                                                \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_CHOICE, .offset = offsetof(owner, field),                  \
        .words = (choices), __VA_ARGS__                                                            \
    }
#define ROW_TEXTS(key, owner, field, checks, least, most, ...)                                     \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_TEXTS, .offset = offsetof(owner, field),                   \
        .check = (checks), .minimum = (least), .maximum = (most), __VA_ARGS__                      \
    }
#define ROW_ELEMENTS(key, kind, owner, field, counter, least, most, ...)                           \
    {                                                                                              \
        .name = (key), .type = (kind), .offset = offsetof(owner, field),                           \
        .count_offset = offsetof(owner, counter), .size = sizeof(*((owner *)NULL)->field),         \
        .minimum = (least), .maximum = (most), __VA_ARGS__                                         \
    }
#define ROW_LIST(key, owner, ...) ROW_ELEMENTS(key, JSON_KEY_LIST, owner, __VA_ARGS__)
/* The elements have a member `name`. */
#define ROW_MAP(key, owner, field, counter, least, most, checks, ...)                              \
    ROW_ELEMENTS(key, JSON_KEY_MAP, owner, field, counter, least, most, .check = (checks),         \
                 .name_offset = offsetof(__typeof__(*((owner *)NULL)->field), name), __VA_ARGS__)
/* Another table's object: its keys are the same struct's, a struct within, or allocated. */
#define ROW_SAME(key, other, ...)                                                                  \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_OBJECT, .table = &(other), __VA_ARGS__                     \
    }
#define ROW_WITHIN(key, owner, field, other)                                                       \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_OBJECT, .offset = offsetof(owner, field),                  \
        .table = &(other)                                                                          \
    }
#define ROW_ALLOCATED(key, owner, field, other)                                                    \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_OBJECT, .offset = offsetof(owner, field),                  \
        .size = sizeof(*((owner *)NULL)->field), .table = &(other)                                 \
    }
#define ROW_CUSTOM(key, reads, ...)                                                                \
    {                                                                                              \
        .name = (key), .type = JSON_KEY_CUSTOM, .read = (reads), __VA_ARGS__                       \
    }

struct json_table {
    const char *what; /* "a surface": for sentences */
    const struct json_key *keys;
    size_t count;
};

#define JSON_TABLE(words, rows)                                                                    \
    {                                                                                              \
        (words), (rows), sizeof(rows) / sizeof((rows)[0])                                          \
    }

/* Reads an object into a zeroed struct; what could be read is there even after a fault. */
void json_table_read(struct json_reader *reader, const struct json_table *table,
                     struct json_t *value, void *into);
/* Frees what reading left in the struct; the struct itself is the caller's. */
void json_table_clear(const struct json_table *table, void *from);
/* Reads one list or map on its own: the same as a row of a table. */
void json_table_read_key(struct json_reader *reader, const struct json_key *key,
                         struct json_t *value, void *into);

/*
 * The name of the table's key that `name` is most likely meant to be, or NULL
 * if none is near.
 */
const char *json_table_nearest(const struct json_table *table, const char *name);
