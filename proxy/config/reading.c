#include "config/reading.h"

#include <jansson.h>
#include <string.h>

void config_read_pattern(struct json_reader *reader, struct json_t *value, void *into)
{
    struct config_pattern **out = into;
    const char *text = json_string_value(value);
    char why[CONFIG_PATTERN_WHY_SIZE];

    if (text == NULL) {
        json_reader_fault(reader, "This must be a string: a regular expression.");
        return;
    }
    switch (config_pattern_compile(text, out, why)) {
    case OK:
        break;
    case ERROR_INVALID:
        json_reader_fault(reader, "The regular expression \"%.64s\" %s.", text, why);
        break;
    default:
        reader->out_of_memory = true;
    }
}

void config_clear_pattern(void *pattern)
{
    config_pattern_destroy(*(struct config_pattern **)pattern);
}

void config_read_uid(struct json_reader *reader, struct json_t *value, void *into)
{
    const char *text = json_string_value(value);
    const struct config_reading *reading = reader->context;
    uint32_t *uid = into;

    if (text != NULL && strcmp(text, "self") == 0)
        *uid = reading->self_uid;
    else if (text != NULL)
        json_reader_fault(reader,
                          "\"%.64s\" must be \"self\" or a number: user names are not looked up "
                          "(`id -u NAME` prints a user's number).",
                          text);
    else /* all ones is no user: chown(2) and others take it for "leave as it is" */
        (void)json_reader_number(reader, value, 0, UINT32_MAX - 1, uid);
}
