#include "ipc/wire_format.h"

#include <string.h>

#define TEXT_NULL 0xffffffffu

static void put(struct ipc_writer *writer, const void *bytes, size_t length)
{
    if (writer->failed || length > IPC_MESSAGE_BYTES_MAX - writer->length) {
        writer->failed = true;
        return;
    }
    if (length > 0)
        memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

void ipc_put_number(struct ipc_writer *writer, uint64_t value, size_t bytes)
{
    unsigned char encoded[sizeof(value)];

    for (size_t i = 0; i < bytes; i++)
        encoded[i] = (unsigned char)(value >> 8 * i);
    put(writer, encoded, bytes);
}

void ipc_put_text(struct ipc_writer *writer, const char *text)
{
    size_t length;

    if (text == NULL) {
        ipc_put_number(writer, TEXT_NULL, 4);
        return;
    }
    length = strlen(text);
    if (length >= IPC_MESSAGE_BYTES_MAX) {
        writer->failed = true;
        return;
    }
    ipc_put_number(writer, length, 4);
    put(writer, text, length + 1);
}

static const unsigned char *get(struct ipc_reader *reader, size_t length)
{
    const unsigned char *bytes = reader->bytes + reader->at;

    if (reader->failed || length > reader->length - reader->at) {
        reader->failed = true;
        return NULL;
    }
    reader->at += length;
    return bytes;
}

uint64_t ipc_get_number(struct ipc_reader *reader, size_t bytes)
{
    const unsigned char *encoded = get(reader, bytes);
    uint64_t value = 0;

    for (size_t i = 0; encoded != NULL && i < bytes; i++)
        value |= (uint64_t)encoded[i] << 8 * i;
    return value;
}

bool ipc_get_bool(struct ipc_reader *reader)
{
    uint64_t value = ipc_get_number(reader, 1);

    if (value > 1)
        reader->failed = true;
    return value == 1;
}

const char *ipc_get_text(struct ipc_reader *reader)
{
    uint64_t length = ipc_get_number(reader, 4);
    const unsigned char *bytes;

    if (reader->failed || length == TEXT_NULL)
        return NULL;
    bytes = get(reader, length + 1);
    if (bytes == NULL)
        return NULL;
    if (memchr(bytes, '\0', length + 1) != bytes + length) {
        reader->failed = true;
        return NULL;
    }
    return (const char *)bytes;
}

void ipc_get_text_into(struct ipc_reader *reader, char *out, size_t capacity)
{
    const char *text = ipc_get_text(reader);

    out[0] = '\0';
    if (text == NULL || strlen(text) >= capacity) {
        reader->failed = true;
        return;
    }
    memcpy(out, text, strlen(text) + 1);
}

bool ipc_reader_done(const struct ipc_reader *reader)
{
    return !reader->failed && reader->at == reader->length;
}
