#include "dialect/reader.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool dialect_reader_fail(struct dialect_reader *reader, const char *format, ...)
{
    va_list arguments;

    reader->error = ERROR_INVALID;
    va_start(arguments, format);
    vsnprintf(reader->fault->text, sizeof(reader->fault->text), format, arguments);
    va_end(arguments);
    memcpy(reader->fault->pointer, reader->pointer, sizeof(reader->pointer));
    return false;
}

bool dialect_reader_memory(struct dialect_reader *reader)
{
    dialect_reader_fail(reader, "There is not enough memory.");
    reader->error = ERROR_MEMORY;
    return false;
}

/* Goes to a member; returns the place to leave to. A pointer too long to hold is cut short. */
size_t dialect_reader_enter(struct dialect_reader *reader, const char *key)
{
    size_t place = strlen(reader->pointer), used = place;

    if (used + 1 < sizeof(reader->pointer))
        reader->pointer[used++] = '/';
    for (; *key != '\0' && used + 2 < sizeof(reader->pointer); key++) {
        char byte = *key;

        if (byte == '/' || byte == '~') {
            reader->pointer[used++] = '~';
            byte = byte == '/' ? '1' : '0';
        }
        reader->pointer[used++] = byte;
    }
    reader->pointer[used] = '\0';
    return place;
}

size_t dialect_reader_enter_index(struct dialect_reader *reader, size_t index)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", index);
    return dialect_reader_enter(reader, text);
}

void dialect_reader_leave(struct dialect_reader *reader, size_t place)
{
    reader->pointer[place] = '\0';
}

/* Checks that the value is an object with no keys but those in a list that NULL ends. */
bool dialect_reader_keys(struct dialect_reader *reader, json_t *value, const char *const *known)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return dialect_reader_fail(reader, "This must be an object.");
    json_object_foreach(value, key, member)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL) {
            dialect_reader_enter(reader, key);
            return dialect_reader_fail(reader, "A dialect pack has no such key here; remove it.");
        }
    }
    return true;
}

/* Copies a string of 1 to `maximum` bytes without control characters. */
bool dialect_reader_text(struct dialect_reader *reader, json_t *value, size_t maximum, char **out)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (text == NULL || length == 0 || length > maximum)
        return dialect_reader_fail(reader, "This must be a string of 1 to %zu bytes.", maximum);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return dialect_reader_fail(reader, "This must be free of control characters.");
    }
    *out = text_copy((struct span){text, length});
    return *out != NULL || dialect_reader_memory(reader);
}

bool dialect_reader_member(struct dialect_reader *reader, json_t *object, const char *key,
                           size_t maximum, char **out)
{
    size_t place = dialect_reader_enter(reader, key);
    bool done = dialect_reader_text(reader, json_object_get(object, key), maximum, out);

    if (done)
        dialect_reader_leave(reader, place);
    return done;
}

bool dialect_reader_flag(struct dialect_reader *reader, json_t *object, const char *key, bool *out)
{
    json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_boolean(value)) {
        dialect_reader_enter(reader, key);
        return dialect_reader_fail(reader, "This must be true or false.");
    }
    *out = json_is_true(value);
    return true;
}
