/*
 * Reading a pack: where in it reading is, and what is wrong there. Private to
 * dialect/. Functions that return bool return false once something is
 * wrong; the place is then left as it is.
 */
#ifndef SIDELOCK_DIALECT_READER_H
#define SIDELOCK_DIALECT_READER_H

#include "dialect/dialect.h"

struct json_t;

struct dialect_reader {
    struct dialect_fault *fault;
    enum error error;
    char pointer[sizeof(((struct dialect_fault *)0)->pointer)];
};

/* Notes a fault at this place; false. */
bool dialect_reader_fail(struct dialect_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);
bool dialect_reader_memory(struct dialect_reader *reader);

/* Goes to a member; returns the place to leave to. A pointer too long to hold is cut short. */
size_t dialect_reader_enter(struct dialect_reader *reader, const char *key);
size_t dialect_reader_enter_index(struct dialect_reader *reader, size_t index);
void dialect_reader_leave(struct dialect_reader *reader, size_t place);

/* Checks that the value is an object with no keys but those in a list that NULL ends. */
bool dialect_reader_keys(struct dialect_reader *reader, struct json_t *value,
                         const char *const *known);
/* Copies a string of 1 to `maximum` bytes without control characters. */
bool dialect_reader_text(struct dialect_reader *reader, struct json_t *value, size_t maximum,
                         char **out);
/* The same of an object's member, which must be there. */
bool dialect_reader_member(struct dialect_reader *reader, struct json_t *object, const char *key,
                           size_t maximum, char **out);
/* A member that is true or false, or (then false) absent. */
bool dialect_reader_flag(struct dialect_reader *reader, struct json_t *object, const char *key,
                         bool *out);

#endif
