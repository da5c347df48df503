/*
 * What jansson cannot hold and the scanner lets pass inside values, made tame for it: numbers
 * beyond its range, lone surrogates, U+0000.
 */
#pragma once

#include "json/chars.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number that jansson has no room for becomes a zero. */
static size_t tame_number(const char *text, size_t length, char *out)
{
    char number[64];
    bool huge = length >= sizeof(number);

    if (!huge) {
        memcpy(number, text, length);
        number[length] = '\0';
        errno = 0;
        if (strpbrk(number, ".eE") == NULL)
            (void)strtoll(number, NULL, 10);
        else if (isinf(strtod(number, NULL)))
            errno = ERANGE;
        else
            errno = 0;
        huge = errno == ERANGE;
    }
    if (huge) {
        memset(out, ' ', length);
        *out = '0';
    } else {
        memcpy(out, text, length);
    }
    return length;
}

/* The odd escapes of a string become crosses; returns how much of the text it was. */
static size_t tame_string(const char *text, size_t length, char *out)
{
    size_t i = 1;

    memcpy(out, text, length);
    while (i < length && text[i] != '"') {
        struct span escape = {text + i, length - i < 6 ? length - i : 6};

        if (text[i] != '\\') {
            i++;
        } else if (escape.length < 6 || text[i + 1] != 'u') {
            i += 2;
        } else if (length - i >= 12 && !json_chars_odd((struct span){text + i, 12})) {
            i += !json_chars_odd(escape) ? 6 : 12;
        } else {
            if (json_chars_odd(escape))
                memcpy(out + i, "xxxxxx", 6);
            i += 6;
        }
    }
    return i < length ? i + 1 : length;
}

/* The text as jansson can read it, of the same length. */
static void tame(const char *text, size_t size, char *out)
{
    size_t i = 0;

    while (i < size) {
        size_t digits = 0;

        while (i + digits < size && text[i + digits] != '\0' &&
               strchr("+-.eE0123456789", text[i + digits]) != NULL)
            digits++;
        if (text[i] == '"')
            i += tame_string(text + i, size - i, out + i);
        else if (digits > 0)
            i += tame_number(text + i, digits, out + i);
        else {
            out[i] = text[i];
            i++;
        }
    }
}

/* What jansson makes of it; NULL: it refuses it all the same. */
static json_t *tame_load(const char *text, size_t size)
{
    char *tamed = malloc(size + 1);
    json_t *value;

    if (tamed == NULL)
        abort();
    tame(text, size, tamed);
    value = json_loadb(tamed, size, JSON_REJECT_DUPLICATES, NULL);
    free(tamed);
    return value;
}
