#include "json/reader.h"

#include "base/text.h"
#include "json/comments.h"
#include "json/scan.h"
#include "json/walk.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned line_at(const char *text, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static bool fault_known(const struct json_faults *faults, const struct json_fault *fault)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (strcmp(faults->items[i].pointer, fault->pointer) == 0 &&
            strcmp(faults->items[i].text, fault->text) == 0)
            return true;
    }
    return false;
}

/* Where reading is, in `pointer` with the document's name before it; gives the line. */
static unsigned place_fault(const struct json_reader *reader, char *pointer, size_t size)
{
    size_t used = 0, offset;

    if (reader->name != NULL)
        used = (size_t)snprintf(pointer, size / 2, "%s#", reader->name);
    if (used >= size / 2)
        used = strlen(pointer);
    snprintf(pointer + used, size - used, "%s", reader->pointer);
    if (reader->line > 0)
        return reader->line;
    return json_scan_locate(reader->text, reader->length, reader->pointer, &offset)
               ? line_at(reader->text, offset)
               : 0;
}

void json_reader_fault_at(struct json_reader *reader, const char *below, const char *format, ...)
{
    size_t place = strlen(reader->pointer), room = sizeof(reader->pointer) - place;
    struct json_fault fault = {.line = 0};
    va_list arguments;

    if (below != NULL && (size_t)snprintf(reader->pointer + place, room, "/%s", below) >= room)
        json_reader_leave(reader, place);
    fault.line = place_fault(reader, fault.pointer, sizeof(fault.pointer));
    json_reader_leave(reader, place);
    va_start(arguments, format);
    vsnprintf(fault.text, sizeof(fault.text), format, arguments);
    va_end(arguments);
    reader->faulty = true;
    if (reader->faults->count < JSON_FAULTS_MAX && !fault_known(reader->faults, &fault))
        reader->faults->items[reader->faults->count++] = fault;
}

/* Tables are read in their own order; people read files from the top. */
void json_faults_sort(struct json_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        struct json_fault fault = faults->items[i];
        size_t at = i;

        for (; at > 0 && faults->items[at - 1].line > fault.line; at--)
            faults->items[at] = faults->items[at - 1];
        faults->items[at] = fault;
    }
}

enum error json_reader_result(const struct json_reader *reader)
{
    if (reader->out_of_memory)
        return ERROR_MEMORY;
    return reader->faulty ? ERROR_INVALID : OK;
}

/* A fault of the text itself: it has no pointer, but a line. */
static void fault_in_text(struct json_reader *reader, size_t offset, const char *what)
{
    reader->line = line_at(reader->text, offset);
    json_reader_fault(reader, "The text is not JSON: it holds %s.", what);
}

/* Of a copy: the text is another's. */
static bool take_comments_away(struct json_reader *reader)
{
    struct json_comment_fault fault;

    reader->plain = json_reader_allocate(reader, reader->length, 1);
    if (reader->plain == NULL)
        return false;
    if (reader->length > 0)
        memcpy(reader->plain, reader->text, reader->length);
    if (json_comments_blank(reader->plain, reader->length, &fault) != OK) {
        fault_in_text(reader, fault.offset, fault.text);
        return false;
    }
    reader->text = reader->plain;
    return true;
}

struct json_t *json_reader_parse(struct json_reader *reader)
{
    const char *nul = memchr(reader->text, '\0', reader->length);
    json_error_t error;
    json_t *root;

    if (nul != NULL) { /* jansson would take one that follows a number */
        fault_in_text(reader, (size_t)(nul - reader->text), "a NUL byte");
        return NULL;
    }
    if (!take_comments_away(reader))
        return NULL;
    root = json_loadb(reader->text, reader->length, JSON_REJECT_DUPLICATES, &error);
    if (root != NULL)
        return root;
    if (json_error_code(&error) == json_error_out_of_memory) {
        reader->out_of_memory = true;
    } else { /* a text that ends too soon is at fault on its last line */
        unsigned last = line_at(reader->text, reader->length > 0 ? reader->length - 1 : 0);

        reader->line = error.line < 1 || (unsigned)error.line > last ? last : (unsigned)error.line;
        json_reader_fault(reader, "The text is not strict JSON: %s.", error.text);
    }
    return NULL;
}

void json_reader_end(struct json_reader *reader)
{
    free(reader->plain);
    reader->plain = NULL;
}

size_t json_reader_enter(struct json_reader *reader, const char *key)
{
    size_t place = strlen(reader->pointer);

    /* A pointer that does not fit stays at the parent, which is still true. */
    if (json_pointer_escape(key, reader->pointer + place, sizeof(reader->pointer) - place) == 0)
        json_reader_leave(reader, place);
    return place;
}

size_t json_reader_enter_index(struct json_reader *reader, size_t index)
{
    char key[24];

    snprintf(key, sizeof(key), "%zu", index);
    return json_reader_enter(reader, key);
}

void json_reader_leave(struct json_reader *reader, size_t place)
{
    reader->pointer[place] = '\0';
}

void *json_reader_allocate(struct json_reader *reader, size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory == NULL)
        reader->out_of_memory = true;
    return memory;
}

char *json_reader_copy(struct json_reader *reader, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        reader->out_of_memory = true;
    return copy;
}

const char *json_check_word(const char *text)
{
    if (*text == '\0')
        return "must not be empty";
    return text_has_control(text) ? "must not hold control characters" : NULL;
}

char *json_reader_text(struct json_reader *reader, const struct json_t *value, json_check check,
                       uint32_t maximum)
{
    return json_reader_expanded(reader, value, json_reader_copy, check, maximum);
}

/* Whether it may be what stands there. */
static bool text_permitted(struct json_reader *reader, const char *text, json_check check,
                           uint32_t maximum)
{
    const char *why;

    if (strlen(text) > maximum) {
        json_reader_fault(reader, "This is %zu bytes long; at most %u are permitted.", strlen(text),
                          maximum);
        return false;
    }
    why = check != NULL ? check(text) : NULL;
    if (why != NULL)
        json_reader_fault(reader, "\"%.64s\" %s.", text, why);
    return why == NULL;
}

char *json_reader_expanded(struct json_reader *reader, const struct json_t *value,
                           json_expand expand, json_check check, uint32_t maximum)
{
    const char *text = json_string_value(value);
    char *copy;

    if (text == NULL) {
        json_reader_fault(reader, "This must be a string.");
        return NULL;
    }
    copy = expand(reader, text);
    if (copy == NULL || text_permitted(reader, copy, check, maximum))
        return copy;
    free(copy);
    return NULL;
}

bool json_reader_number(struct json_reader *reader, const struct json_t *value, uint32_t minimum,
                        uint32_t maximum, uint32_t *out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < (json_int_t)minimum || number > (json_int_t)maximum) {
        json_reader_fault(reader, "This must be a whole number from %u to %u.", minimum, maximum);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}
