/*
 * How JSON objects of the configuration become structs: one table an object,
 * one row a key, in the order in which keys are read. A key that no table has
 * is a fault; so is a wrong type, a value out of bounds, a missing key. Reading
 * goes on after a fault, so that all are found at once.
 *
 * Private to config/, and open to the test that compares the tables
 * with the JSON schema.
 */
#ifndef SIDELOCK_CONFIG_TABLE_H
#define SIDELOCK_CONFIG_TABLE_H

#include "config/reader.h"

enum config_type {
    CONFIG_IGNORED = 1, /* a string that only editors use */
    CONFIG_TEXT,        /* char * */
    CONFIG_FLAG,        /* bool */
    CONFIG_NUMBER,      /* uint32_t */
    CONFIG_CHOICE,      /* an enum, by word */
    CONFIG_TEXTS,       /* struct text_list without duplicates */
    CONFIG_OBJECT,      /* another table's object: a struct in place, or allocated if `size` */
    CONFIG_LIST,        /* array -> allocated elements of `size`, each by `read` */
    CONFIG_MAP,         /* object with free keys -> the same */
    CONFIG_CUSTOM,      /* whatever `read` makes of it */
};

struct config_word {
    const char *word; /* NULL ends a list */
    unsigned value;
};

/* Reads one value into its place; `name` is the key in a map, else NULL. */
typedef void (*config_read)(struct config_reader *reader, const char *name, struct json_t *value,
                            void *into);

struct config_table;

struct config_key {
    const char *name;
    enum config_type type;
    bool required;
    size_t offset;                    /* of the value in the struct */
    size_t count_offset;              /* LIST, MAP: of the size_t that counts the elements */
    size_t set_offset;                /* of a bool that says the key was there; 0: none */
    size_t size;                      /* of an element, or of an allocated OBJECT */
    uint32_t minimum;                 /* NUMBER: value; TEXTS, LIST, MAP: how many */
    uint32_t maximum;                 /* the same; TEXT: bytes, 0: CONFIG_TEXT_BYTES_MAX */
    uint32_t preset;                  /* NUMBER, CHOICE: when the key is absent */
    const struct config_word *words;  /* CHOICE */
    const char *hint;                 /* CHOICE: a sentence that ends the fault; NULL: none */
    config_check check;               /* TEXT, and each of TEXTS; NULL: anything */
    config_read read;                 /* LIST, MAP, CUSTOM */
    const struct config_table *table; /* OBJECT; LIST, MAP, CUSTOM: of objects within */
};

#define CONFIG_TEXT_BYTES_MAX 1024

struct config_table {
    const char *what; /* "a surface": for sentences */
    const struct config_key *keys;
    size_t count;
};

#define CONFIG_TABLE(words, rows)                                                                  \
    {                                                                                              \
        (words), (rows), sizeof(rows) / sizeof((rows)[0])                                          \
    }

/* The only row of {"uids": [...]}, for an array of uint32_t and its count in a struct. */
#define CONFIG_UIDS_KEY(owner, array, array_count, fewest)                                         \
    {                                                                                              \
        .name = "uids", .type = CONFIG_LIST, .required = true, .offset = offsetof(owner, array),   \
        .count_offset = offsetof(owner, array_count), .size = sizeof(uint32_t),                    \
        .minimum = (fewest), .maximum = CONFIG_UIDS_MAX, .read = config_reader_uid                 \
    }

/* The table of the whole configuration (config.c). */
const struct config_table *config_table_top(void);

/* Reads an object into a zeroed struct; what could be read is there even after a fault. */
void config_table_read(struct config_reader *reader, const struct config_table *table,
                       struct json_t *value, void *into);
/* Reads one list or map on its own: the same as a row of a table. */
void config_table_read_key(struct config_reader *reader, const struct config_key *key,
                           struct json_t *value, void *into);

/*
 * The name of the table's key that `name` is most likely meant to be, or NULL
 * if none is near.
 */
const char *config_table_nearest(const struct config_table *table, const char *name);

#endif
