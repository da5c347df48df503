#include "json/comments.h"

/* Of the string that begins at `from`, with its quotes; of one that is not closed, all there is. */
static size_t string_length(const char *from, const char *end)
{
    const char *at = from + 1;

    for (; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
    }
    return (size_t)((at < end ? at + 1 : end) - from);
}

/* Either ends a line for one reader or another: no comment goes on behind it. */
static bool ends_line(char byte)
{
    return byte == '\n' || byte == '\r';
}

struct span json_comment_at(const char *at, const char *end)
{
    const char *from = at;

    if (end - at < 2 || at[0] != '/')
        return (struct span){NULL, 0};
    if (at[1] == '/') {
        while (at < end && !ends_line(*at))
            at++;
        return (struct span){from, (size_t)(at - from)};
    }
    for (at += 2; from[1] == '*' && end - at >= 2; at++) {
        if (at[0] == '*' && at[1] == '/')
            return (struct span){from, (size_t)(at + 2 - from)};
    }
    return (struct span){NULL, 0};
}

static bool is_control(unsigned char byte)
{
    return (byte < 0x20 && byte != '\t' && !ends_line((char)byte)) || byte == 0x7f;
}

/*
 * Of valid UTF-8: a sequence that changes how a line is shown, or ends it for some (U+0080 to 9F,
 * U+061C, U+200E and F, U+2028 to 202E, U+2066 to 2069).
 */
static bool turns_text(const unsigned char *at)
{
    switch (at[0]) {
    case 0xc2:
        return at[1] < 0xa0;
    case 0xd8:
        return at[1] == 0x9c;
    case 0xe2:
        return (at[1] == 0x80 &&
                (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
               (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
    default:
        return false;
    }
}

/* What is wrong with a comment; NULL: nothing. */
static const char *judge(struct span comment)
{
    if (!utf8_valid(comment.data, comment.length))
        return "a comment that is not UTF-8";
    for (size_t i = 0; i < comment.length; i++) {
        const unsigned char *at = (const unsigned char *)comment.data + i;

        if (is_control(*at) || turns_text(at))
            return "a control character in a comment";
    }
    return NULL;
}

enum error json_comments_blank(char *text, size_t length, struct json_comment_fault *fault)
{
    char *at = text, *end = text + length;

    while (at < end) {
        struct span comment = json_comment_at(at, end);
        const char *why = comment.data != NULL ? judge(comment) : NULL;

        if (end - at >= 2 && at[0] == '/' && at[1] == '*' && comment.data == NULL)
            why = "a comment that is not closed";
        if (why != NULL) {
            *fault = (struct json_comment_fault){(size_t)(at - text), why};
            return ERROR_SYNTAX;
        }
        if (*at == '"')
            at += string_length(at, end);
        else if (comment.data == NULL)
            at++;
        for (size_t i = 0; i < comment.length; i++, at++) {
            if (!ends_line(*at))
                *at = ' ';
        }
    }
    return OK;
}
