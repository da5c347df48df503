#include "config/reader.h"

#include "json/scan.h"

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

/* The fault's text goes to terminals and logs, and quotes what the document says. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static bool fault_known(const struct config_faults *faults, const struct config_fault *fault)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (strcmp(faults->items[i].pointer, fault->pointer) == 0 &&
            strcmp(faults->items[i].text, fault->text) == 0)
            return true;
    }
    return false;
}

static void note_fault(struct config_reader *reader, unsigned line, const char *format,
                       va_list arguments) PRINTF_LIKE(3, 0);

static void note_fault(struct config_reader *reader, unsigned line, const char *format,
                       va_list arguments)
{
    struct config_fault fault = {.line = line};
    size_t used = 0;

    reader->faulty = true;
    if (reader->pack != NULL)
        used = (size_t)snprintf(fault.pointer, sizeof(fault.pointer) / 2, "%s#", reader->pack);
    if (used >= sizeof(fault.pointer) / 2)
        used = strlen(fault.pointer);
    snprintf(fault.pointer + used, sizeof(fault.pointer) - used, "%.*s",
             (int)(sizeof(fault.pointer) - used - 1), reader->pointer);
    vsnprintf(fault.text, sizeof(fault.text), format, arguments);
    make_printable(fault.pointer);
    make_printable(fault.text);
    if (reader->faults->count < CONFIG_FAULTS_MAX && !fault_known(reader->faults, &fault))
        reader->faults->items[reader->faults->count++] = fault;
}

static void fault_at_line(struct config_reader *reader, unsigned line, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void fault_at_line(struct config_reader *reader, unsigned line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    note_fault(reader, line, format, arguments);
    va_end(arguments);
}

void config_reader_fault(struct config_reader *reader, const char *format, ...)
{
    unsigned line = 0;
    size_t offset;
    va_list arguments;

    if (json_scan_locate(reader->text, reader->length, reader->pointer, &offset))
        line = line_at(reader->text, offset);
    va_start(arguments, format);
    note_fault(reader, line, format, arguments);
    va_end(arguments);
}

/* The line of a syntax error; a text that ends too soon is at fault on its last line. */
static unsigned error_line(const struct config_reader *reader, int line)
{
    unsigned last = line_at(reader->text, reader->length > 0 ? reader->length - 1 : 0);

    return line < 1 || (unsigned)line > last ? last : (unsigned)line;
}

struct json_t *config_reader_parse(struct config_reader *reader)
{
    const char *nul = memchr(reader->text, '\0', reader->length);
    json_error_t error;
    json_t *root;

    if (nul != NULL) { /* jansson would take one that follows a number */
        fault_at_line(reader, line_at(reader->text, (size_t)(nul - reader->text)),
                      "The text is not JSON: it holds a NUL byte.");
        return NULL;
    }
    root = json_loadb(reader->text, reader->length, JSON_REJECT_DUPLICATES, &error);
    if (root != NULL)
        return root;
    if (json_error_code(&error) == json_error_out_of_memory)
        reader->out_of_memory = true;
    else
        fault_at_line(reader, error_line(reader, error.line), "The text is not strict JSON: %s.",
                      error.text);
    return NULL;
}

size_t config_reader_enter(struct config_reader *reader, const char *key)
{
    size_t place = strlen(reader->pointer), at = place;

    /* A pointer that does not fit stays at the parent, which is still true. */
    if (at + 2 * strlen(key) + 2 > sizeof(reader->pointer))
        return place;
    reader->pointer[at++] = '/';
    for (; *key != '\0'; key++) {
        if (*key == '~' || *key == '/') {
            reader->pointer[at++] = '~';
            reader->pointer[at++] = *key == '~' ? '0' : '1';
        } else {
            reader->pointer[at++] = *key;
        }
    }
    reader->pointer[at] = '\0';
    return place;
}

size_t config_reader_enter_index(struct config_reader *reader, size_t index)
{
    char key[24];

    snprintf(key, sizeof(key), "%zu", index);
    return config_reader_enter(reader, key);
}

void config_reader_leave(struct config_reader *reader, size_t place)
{
    reader->pointer[place] = '\0';
}

void *config_reader_allocate(struct config_reader *reader, size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory == NULL)
        reader->out_of_memory = true;
    return memory;
}

char *config_reader_text(struct config_reader *reader, const struct json_t *value,
                         config_check check, uint32_t maximum)
{
    const char *text = json_string_value(value), *why;
    char *copy;

    if (text == NULL) {
        config_reader_fault(reader, "This must be a string.");
        return NULL;
    }
    if (strlen(text) > maximum) {
        config_reader_fault(reader, "This is %zu bytes long; at most %u are permitted.",
                            strlen(text), maximum);
        return NULL;
    }
    why = check != NULL ? check(text) : NULL;
    if (why != NULL) {
        config_reader_fault(reader, "\"%.64s\" %s.", text, why);
        return NULL;
    }
    copy = strdup(text);
    if (copy == NULL)
        reader->out_of_memory = true;
    return copy;
}

bool config_reader_number(struct config_reader *reader, const struct json_t *value,
                          uint32_t minimum, uint32_t maximum, uint32_t *out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < (json_int_t)minimum || number > (json_int_t)maximum) {
        config_reader_fault(reader, "This must be a whole number from %u to %u.", minimum, maximum);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

void config_reader_pattern(struct config_reader *reader, const struct json_t *value,
                           struct config_pattern **out)
{
    const char *text = json_string_value(value);
    char why[CONFIG_PATTERN_WHY_SIZE];

    if (text == NULL) {
        config_reader_fault(reader, "This must be a string: a regular expression.");
        return;
    }
    switch (config_pattern_compile(text, out, why)) {
    case OK:
        break;
    case ERROR_INVALID:
        config_reader_fault(reader, "The regular expression \"%.64s\" %s.", text, why);
        break;
    default:
        reader->out_of_memory = true;
    }
}

void config_reader_uid(struct config_reader *reader, const char *name, struct json_t *value,
                       void *into)
{
    const char *text = json_string_value(value);
    uint32_t *uid = into;

    (void)name;
    if (text != NULL && strcmp(text, "self") == 0)
        *uid = reader->self_uid;
    else if (text != NULL)
        config_reader_fault(reader,
                            "\"%.64s\" must be \"self\" or a number: user names are not looked up "
                            "(`id -u NAME` prints a user's number).",
                            text);
    else /* all ones is no user: chown(2) and others take it for "leave as it is" */
        (void)config_reader_number(reader, value, 0, UINT32_MAX - 1, uid);
}
