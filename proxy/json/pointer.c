#include "json/pointer.h"

#include "base/text.h"

#define INDEX_DIGITS_MAX 9

bool json_pointer_next(const char **pointer, char *token, size_t capacity)
{
    const char *at = *pointer;
    size_t length = 0;

    if (*at++ != '/')
        return false;
    for (; *at != '\0' && *at != '/'; at++) {
        char byte = *at;

        if (byte == '~') {
            at++;
            if (*at != '0' && *at != '1')
                return false;
            byte = *at == '0' ? '~' : '/';
        }
        if (length + 1 >= capacity)
            return false;
        token[length++] = byte;
    }
    token[length] = '\0';
    *pointer = at;
    return true;
}

bool json_pointer_index(const char *token, size_t *out)
{
    uint64_t index;

    if ((token[0] == '0' && token[1] != '\0') ||
        !text_number(span_of(token), INDEX_DIGITS_MAX, &index))
        return false;
    *out = (size_t)index;
    return true;
}

size_t json_pointer_escape(const char *key, char *out, size_t capacity)
{
    size_t length = 0;

    if (capacity < 2)
        return 0;
    out[length++] = '/';
    for (; *key != '\0'; key++) {
        bool escaped = *key == '~' || *key == '/';

        if (length + 1 + escaped >= capacity)
            return 0;
        if (escaped)
            out[length++] = '~';
        out[length++] = (char)(*key == '~' ? '0' : *key == '/' ? '1' : *key);
    }
    out[length] = '\0';
    return length;
}
