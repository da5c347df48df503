#include "manual/mdoc.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 76

/* One byte of text. A hyphen of an option is one that can be copied. */
static void put_byte(FILE *out, char byte, bool verbatim)
{
    if (byte == '\\')
        fputs("\\e", out);
    else if (byte == '-' && verbatim)
        fputs("\\-", out);
    else
        fputc(byte, out);
}

/* What begins a line is no request of roff's. */
static void guard(FILE *out, char first)
{
    if (first == '.' || first == '\'')
        fputs("\\&", out);
}

static bool ends_sentence(const char *word, size_t length)
{
    while (length > 0 && strchr(")\"'`", word[length - 1]) != NULL)
        length--;
    return length > 1 && strchr(".?!", word[length - 1]) != NULL;
}

/* One word; `code` is whether it begins within backquotes, and then whether it ends so. */
static void put_word(FILE *out, const char *word, size_t length, bool *code)
{
    size_t option = !*code && word[0] == '-' && length > 1 ? strcspn(word, " \n=,.;:)|]") : 0;

    if (option > length)
        option = length;
    if (option > 0)
        fputs("\\fB", out);
    for (size_t i = 0; i < length; i++) {
        if (option > 0 && i == option)
            fputs("\\fR", out);
        if (word[i] == '`') {
            *code = !*code;
            fputs(*code ? "\\fB" : "\\fR", out);
        } else {
            put_byte(out, word[i], *code || i < option);
        }
    }
    if (option == length)
        fputs("\\fR", out);
}

/* How long a word becomes at most, with what it has of roff. */
static size_t width(const char *word, size_t length)
{
    size_t all = length + (word[0] == '-' ? 6 : 0);

    for (size_t i = 0; i < length; i++)
        all += word[i] == '`' ? 3 : word[i] == '-' || word[i] == '\\' ? 1 : 0;
    return all;
}

void mdoc_text(FILE *out, const char *text)
{
    size_t column = 0;
    bool code = false;

    for (text += strspn(text, " \n"); *text != '\0'; text += strspn(text, " \n")) {
        size_t length = strcspn(text, " \n");

        if (column > 0 && column + 1 + width(text, length) > COLUMNS) {
            fputc('\n', out);
            column = 0;
        }
        if (column > 0)
            fputc(' ', out);
        else
            guard(out, text[0]);
        put_word(out, text, length, &code);
        column += width(text, length) + 1;
        if (ends_sentence(text, length)) {
            fputc('\n', out);
            column = 0;
        }
        text += length;
    }
    if (column > 0)
        fputc('\n', out);
}

void mdoc_phrase(FILE *out, const char *text)
{
    char *sentence;

    if (asprintf(&sentence, "%s.", text) < 0)
        return;
    sentence[0] = (char)toupper((unsigned char)sentence[0]);
    mdoc_text(out, sentence);
    free(sentence);
}

void mdoc_literal(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (i == 0 || text[i - 1] == '\n')
            guard(out, text[i]);
        put_byte(out, text[i], true);
    }
}

static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) || byte == '-' || byte == '_' || byte == '=';
}

void mdoc_usage(FILE *out, const char *usage)
{
    size_t column = 0;

    while (*usage != '\0') {
        size_t length = 0;
        const char *font;

        /* A line may end where a word does. */
        if (*usage == ' ' && column + width(usage + 1, strcspn(usage + 1, " ")) + 12 > COLUMNS) {
            fputc('\n', out);
            column = 0;
            usage++;
            continue;
        }

        while (is_word(usage[length]))
            length++;
        if (length == 0) {
            put_byte(out, *usage++, true);
            column++;
            continue;
        }
        column += width(usage, length) + 6;
        /* NAME is said by who calls it, name and --name are written as they are. */
        font = isupper((unsigned char)usage[0]) ? "\\fI" : "\\fB";
        fputs(font, out);
        for (size_t i = 0; i < length; i++)
            put_byte(out, usage[i], true);
        fputs("\\fR", out);
        usage += length;
    }
}

void mdoc_argument(FILE *out, const char *text)
{
    fputs("\"\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputs("\\(dq", out);
        else
            put_byte(out, *text, true);
    }
    fputc('"', out);
}
