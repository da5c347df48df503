/* json_scan_locate(): apart from the scanner, which it does not use. */
#include "policy/json_chars.h"
#include "policy/json_scan.h"

#include <string.h>

#define POINTER_TOKEN_BYTES_MAX 256

/* A walk over text that the scanner accepted; it never leaves the text if not. */
struct walk {
    const char *at;
    const char *end;
};

static void skip_space(struct walk *walk)
{
    while (walk->at < walk->end && strchr(" \n\r\t", *walk->at) != NULL && *walk->at != '\0')
        walk->at++;
}

static bool take(struct walk *walk, char byte)
{
    skip_space(walk);
    if (walk->at == walk->end || *walk->at != byte)
        return false;
    walk->at++;
    return true;
}

/* Skips a string, `at` on its opening quote; gives what is between the quotes. */
static struct span skip_string(struct walk *walk)
{
    const char *start = ++walk->at;

    while (walk->at < walk->end && *walk->at != '"')
        walk->at += *walk->at == '\\' && walk->end - walk->at > 1 ? 2 : 1;
    if (walk->at < walk->end)
        walk->at++;
    return (struct span){start, (size_t)(walk->at - start - (walk->at > start ? 1 : 0))};
}

/* Skips a whole value with everything in it. */
static void skip_value(struct walk *walk)
{
    size_t depth = 0;

    skip_space(walk);
    while (walk->at < walk->end) {
        char byte = *walk->at;

        if (depth == 0 && (byte == ',' || byte == '}' || byte == ']'))
            return;
        if (byte == '"') {
            skip_string(walk);
        } else {
            if (byte == '{' || byte == '[')
                depth++;
            else if (byte == '}' || byte == ']')
                depth--;
            walk->at++;
        }
        if (depth == 0 && (byte == '}' || byte == ']' || byte == '"'))
            return;
    }
}

/* The next token of a pointer, ~1 and ~0 undone; false if it is too long. */
static bool next_token(const char **pointer, char token[POINTER_TOKEN_BYTES_MAX])
{
    size_t length = 0;

    for (++*pointer; **pointer != '\0' && **pointer != '/'; ++*pointer) {
        char byte = **pointer;

        if (byte == '~' && ((*pointer)[1] == '0' || (*pointer)[1] == '1'))
            byte = *++*pointer == '0' ? '~' : '/';
        if (length == POINTER_TOKEN_BYTES_MAX - 1)
            return false;
        token[length++] = byte;
    }
    token[length] = '\0';
    return true;
}

static bool key_is(struct span raw, const char *token)
{
    struct json_chars left = json_chars_of(raw, true);
    struct json_chars right = json_chars_of(span_of(token), false);
    uint32_t character;

    do {
        character = json_chars_next(&left);
        if (character == JSON_CHARS_FAULT || character != json_chars_next(&right))
            return false;
    } while (character != JSON_CHARS_END);
    return true;
}

/* Goes to a member's value; *where is where its key starts. */
static bool enter_member(struct walk *walk, const char *token, const char **where)
{
    do {
        struct span key;

        skip_space(walk);
        if (walk->at == walk->end || *walk->at != '"')
            return false;
        *where = walk->at;
        key = skip_string(walk);
        if (!take(walk, ':'))
            return false;
        skip_space(walk);
        if (key_is(key, token))
            return true;
        skip_value(walk);
    } while (take(walk, ','));
    return false;
}

/* Goes to an element of an array. */
static bool enter_element(struct walk *walk, const char *token, const char **where)
{
    size_t index = 0;

    if (*token == '\0' || (token[0] == '0' && token[1] != '\0') || strlen(token) > 9)
        return false;
    for (; *token != '\0'; token++) {
        if (*token < '0' || *token > '9')
            return false;
        index = index * 10 + (size_t)(*token - '0');
    }
    for (; index > 0; index--) {
        skip_value(walk);
        if (!take(walk, ','))
            return false;
    }
    skip_space(walk);
    *where = walk->at;
    return walk->at < walk->end && *walk->at != ']';
}

bool json_scan_locate(const char *text, size_t length, const char *pointer, size_t *offset)
{
    struct walk walk = {text, text + length};
    char token[POINTER_TOKEN_BYTES_MAX];
    const char *where;

    skip_space(&walk);
    where = walk.at;
    while (*pointer == '/') {
        bool found;

        if (!next_token(&pointer, token))
            return false;
        if (take(&walk, '{'))
            found = enter_member(&walk, token, &where);
        else
            found = take(&walk, '[') && enter_element(&walk, token, &where);
        if (!found)
            return false;
    }
    if (*pointer != '\0' || where == walk.end)
        return false;
    *offset = (size_t)(where - text);
    return true;
}
