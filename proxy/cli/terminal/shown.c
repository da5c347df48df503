#include "cli/terminal/shown.h"

#include <string.h>

static void print(FILE *stream, const char *bytes, size_t length, const char *kept)
{
    const char *end = bytes + length;
    char escape[TEXT_ESCAPE_SIZE];

    while (bytes < end) {
        size_t step = text_escape(bytes, end, escape);

        if (escape[0] == '\0' || (*bytes != '\0' && strchr(kept, *bytes) != NULL))
            fwrite(bytes, 1, step, stream);
        else
            fputs(escape, stream);
        bytes += step;
    }
}

void shown_text(FILE *stream, const char *text)
{
    shown_bytes(stream, text, strlen(text));
}

void shown_bytes(FILE *stream, const char *bytes, size_t length)
{
    print(stream, bytes, length, "");
}

void shown_document(FILE *stream, const char *bytes, size_t length)
{
    print(stream, bytes, length, "\n\t");
}
