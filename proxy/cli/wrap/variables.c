#include "cli/wrap/variables.h"

#include "cli/terminal/args.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static bool is_variable(const char *text, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return length > 0 && strspn(text, letters) == length && (*text < '0' || *text > '9');
}

/* A value that stands in a file, one a line, within quotes (config/README.md). */
static int add(const char *given, struct buffer *text)
{
    size_t length = strcspn(given, "=");
    char *name = strndup(given, length);
    const char *value = given[length] == '=' ? given + length + 1
                        : name != NULL       ? getenv(name)
                                             : NULL;
    int code = EX_OK;

    if (name == NULL)
        code = args_fail(EX_OSERR, "out of memory");
    else if (!is_variable(name, length))
        code = args_usage("wrap", "--env takes NAME or NAME=VALUE, not %s", name);
    else if (value == NULL)
        code = args_fail(EX_DATAERR, "--env %s: there is no such variable", name);
    else if (strpbrk(value, "\r\n") != NULL)
        code = args_fail(EX_DATAERR, "--env %s: a value of several lines cannot be given", name);
    else
        buffer_append_format(text, "%s=\"%s\"\n", name, value);
    free(name);
    return code;
}

int variables_write(const struct text_list *given, struct buffer *text)
{
    int code = EX_OK;

    for (size_t i = 0; code == EX_OK && i < given->count; i++)
        code = add(given->items[i], text);
    if (code == EX_OK && buffer_failed(text))
        code = args_fail(EX_DATAERR, "the values of --env are more than %d bytes",
                         VARIABLES_BYTES_MAX);
    return code;
}
