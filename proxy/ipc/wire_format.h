/*
 * Flat encoding of the messages between the two processes: little steps with a
 * bounds check each, and one question at the end. Integers are in host order:
 * both ends are the same program on the same machine.
 */
#ifndef SIDELOCK_IPC_WIRE_FORMAT_H
#define SIDELOCK_IPC_WIRE_FORMAT_H

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

void ipc_put_u8(struct ipc_writer *writer, uint8_t value);
void ipc_put_u32(struct ipc_writer *writer, uint32_t value);
void ipc_put_u64(struct ipc_writer *writer, uint64_t value);
void ipc_put_text(struct ipc_writer *writer, const char *text); /* NULL stays NULL */

struct ipc_reader {
    const unsigned char *bytes; /* borrowed */
    size_t length;
    size_t at;
    bool failed; /* too short, or a text without its NUL */
};

uint8_t ipc_get_u8(struct ipc_reader *reader);
uint32_t ipc_get_u32(struct ipc_reader *reader);
uint64_t ipc_get_u64(struct ipc_reader *reader);
bool ipc_get_bool(struct ipc_reader *reader); /* anything but 0 and 1 fails */
/* Points into the message; NUL-terminated, without another NUL inside; may be NULL. */
const char *ipc_get_text(struct ipc_reader *reader);
/* A text that must be there and fit; copies it. */
void ipc_get_text_into(struct ipc_reader *reader, char *out, size_t capacity);
/* Everything was read and nothing failed. */
bool ipc_reader_done(const struct ipc_reader *reader);

#endif
