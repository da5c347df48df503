/*
 * Flat encoding of the messages between the two processes: little steps with a
 * bounds check each, and one question at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_MESSAGE_BYTES_MAX 65536
#define IPC_LIST_MAX          128

struct ipc_writer {
    unsigned char *bytes; /* borrowed; IPC_MESSAGE_BYTES_MAX of them */
    size_t length;
    bool failed; /* it did not fit */
};

/* The lowest 1 to 8 bytes of a number. */
void ipc_put_number(struct ipc_writer *writer, uint64_t value, size_t bytes);
void ipc_put_text(struct ipc_writer *writer, const char *text); /* NULL stays NULL */

struct ipc_reader {
    const unsigned char *bytes; /* borrowed */
    size_t length;
    size_t at;
    bool failed; /* too short, or a text without its NUL */
};

uint64_t ipc_get_number(struct ipc_reader *reader, size_t bytes); /* 0 if it is not there */
bool ipc_get_bool(struct ipc_reader *reader);                     /* anything but 0 and 1 fails */
/* Points into the message; NUL-terminated, without another NUL inside; may be NULL. */
const char *ipc_get_text(struct ipc_reader *reader);
/* A text that must be there and fit; copies it. */
void ipc_get_text_into(struct ipc_reader *reader, char *out, size_t capacity);
/* Everything was read and nothing failed. */
bool ipc_reader_done(const struct ipc_reader *reader);
