/*
 * One JSON document of the configuration while it is being read: the place
 * where reading is, and the faults found so far. Private to config/.
 */
#ifndef SIDELOCK_CONFIG_READER_H
#define SIDELOCK_CONFIG_READER_H

#include "config/check.h"
#include "config/config.h"

#define CONFIG_POINTER_BYTES_MAX 1024

struct json_t; /* jansson's, which only .c files include */

struct config_reader {
    const char *text; /* the document, for line numbers; borrowed */
    size_t length;
    const char *pack; /* the pack the document is, or NULL for the configuration */
    struct config_faults *faults;
    bool faulty;                            /* also when *faults is full */
    bool out_of_memory;                     /* nothing read is complete */
    char pointer[CONFIG_POINTER_BYTES_MAX]; /* where reading is (RFC 6901) */

    /* What readers need to know beside the document. */
    const struct config_pack *packs;
    size_t pack_count;
    uint32_t self_uid;
    const struct dialect *dialect; /* of the surface being read; NULL: none that is usable */
};

/* Parses the document strictly; NULL after a fault. Freed by json_decref. */
struct json_t *config_reader_parse(struct config_reader *reader);

/* Goes to a member or an element; leaving restores the place that entering returned. */
size_t config_reader_enter(struct config_reader *reader, const char *key);
size_t config_reader_enter_index(struct config_reader *reader, size_t index);
void config_reader_leave(struct config_reader *reader, size_t place);

/* Notes a fault at the place where reading is. The very same fault is noted once. */
void config_reader_fault(struct config_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);

/* Zeroed memory for reading into, or NULL; then out_of_memory is set. */
void *config_reader_allocate(struct config_reader *reader, size_t count, size_t size);

/* A copy of a string value, 1 to `maximum` bytes and checked; NULL after a fault. */
char *config_reader_text(struct config_reader *reader, const struct json_t *value,
                         config_check check, uint32_t maximum);
/* An integer within bounds into *out; false after a fault. */
bool config_reader_number(struct config_reader *reader, const struct json_t *value,
                          uint32_t minimum, uint32_t maximum, uint32_t *out);
/* A regular expression that matches whole values; *out is left alone after a fault. */
void config_reader_pattern(struct config_reader *reader, const struct json_t *value,
                           struct config_pattern **out);
/* A config_read (config_table.h): "self" or a number into a uint32_t. */
void config_reader_uid(struct config_reader *reader, const char *name, struct json_t *value,
                       void *into);

#endif
