/*
 * Any bytes as a text with comments: what is not a comment stays, what is becomes spaces, lines
 * stay lines, and nothing is left to blank. Where there is no comment, nothing changes.
 */
#include "json/comments.h"

#include "fuzz.h"

#include <string.h>

/* Not even in a string. */
static bool may_hold_comments(const char *text, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] == '/' && (text[i + 1] == '/' || text[i + 1] == '*'))
            return true;
    }
    return false;
}

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_comment_fault fault = {0, NULL};
    char *text = malloc(size > 0 ? size : 1), *again = malloc(size > 0 ? size : 1);
    const char *given = (const char *)data;
    enum error error;

    require(text != NULL && again != NULL);
    if (size > 0)
        memcpy(text, data, size);
    error = json_comments_blank(text, size, &fault);
    require((error == OK) == (fault.text == NULL));
    if (!may_hold_comments(given, size))
        require(error == OK && (size == 0 || memcmp(text, data, size) == 0));
    for (size_t i = 0; i < size; i++)
        require(text[i] == given[i] || (text[i] == ' ' && !is_line_end(given[i])));
    if (error == OK && size > 0) {
        memcpy(again, text, size);
        require(json_comments_blank(again, size, &fault) == OK && memcmp(again, text, size) == 0);
    }
    if (error != OK) {
        require(fault.offset + 1 < size && given[fault.offset] == '/');
    }
    free(text);
    free(again);
    return 0;
}
