#include "config/variable.h"

#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 64
#define PATH_BYTES_MAX 1024
#define LETTERS        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* By the XDG base directory specification: where each is if it is not set, below HOME. */
static const struct {
    const char *name, *below;
} usual_directories[] = {
    {"XDG_CONFIG_HOME", ".config"},
    {"XDG_DATA_HOME", ".local/share"},
    {"XDG_STATE_HOME", ".local/state"},
    {"XDG_CACHE_HOME", ".cache"},
};

struct expansion {
    const struct config_variables *variables;
    struct buffer out;
    char *why;
};

/* The value of NAME in a list of NAME=value; NULL: it is not set, or to nothing. */
static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return (*environment)[length + 1] != '\0' ? *environment + length + 1 : NULL;
    }
    return NULL;
}

/* Once, so that another process of the gate's reads the same. */
static enum error note(struct text_list *used, const char *name, const char *value)
{
    char *entry;
    enum error error = OK;

    if (asprintf(&entry, "%s=%s", name, value) < 0)
        return ERROR_MEMORY;
    if (!text_list_contains(used, span_of(entry)))
        error = text_list_add(used, entry, strlen(entry));
    free(entry);
    return error;
}

/* A slash at its end would make two of the path's next. */
static enum error append(struct expansion *expansion, const char *name, const char *value)
{
    size_t length = strlen(value);

    while (length > 0 && value[length - 1] == '/')
        length--;
    buffer_append(&expansion->out, value, length);
    return note(expansion->variables->used, name, value);
}

/* Where a directory of the XDG specification is that nobody has set; NULL: it is none of these. */
static const char *usually_below(const char *name)
{
    for (size_t i = 0; i < sizeof(usual_directories) / sizeof(usual_directories[0]); i++) {
        if (strcmp(usual_directories[i].name, name) == 0)
            return usual_directories[i].below;
    }
    return NULL;
}

static enum error put(struct expansion *expansion, const char *name)
{
    char *const *environment = expansion->variables->environment;
    const char *value = value_of(environment, name), *below = usually_below(name);
    enum error error;

    if (below != NULL && (value == NULL || value[0] != '/')) { /* a relative one is to be ignored */
        error = put(expansion, "HOME");
        buffer_append_format(&expansion->out, "/%s", below);
        return error;
    }
    if (value != NULL)
        return append(expansion, name, value);
    return error_explain(expansion->why, ERROR_INVALID,
                         "The variable %s is not set in this environment: set it where Sidelock is "
                         "started, for all of its commands, or write the path itself.",
                         name);
}

/* What follows a '$' at `at`: NAME or {NAME}, or another '$', which is one. */
static enum error put_variable(struct expansion *expansion, const char **at)
{
    const bool braces = **at == '{';
    const char *name = *at + (braces ? 1 : 0);
    const size_t length = strspn(name, LETTERS "0123456789");
    char copy[NAME_BYTES_MAX + 1];

    if (**at == '$') {
        buffer_append_text(&expansion->out, "$");
        ++*at;
        return OK;
    }
    if (length == 0 || length > NAME_BYTES_MAX || strspn(name, LETTERS) == 0 ||
        (braces && name[length] != '}'))
        return error_explain(expansion->why, ERROR_INVALID,
                             "A '$' begins the name of a variable, as in \"${HOME}/x\" or "
                             "\"$HOME/x\", and nothing else that shells know; write \"$$\" for the "
                             "character itself.");
    snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
    *at = name + length + (braces ? 1 : 0);
    return put(expansion, copy);
}

static enum error expand(struct expansion *expansion, const char *at)
{
    enum error error = OK;

    if (at[0] == '~') {
        if (at[1] != '/' && at[1] != '\0')
            return error_explain(expansion->why, ERROR_INVALID,
                                 "\"~\" stands for your own home directory alone: write \"~/…\", "
                                 "or another user's as an absolute path.");
        error = put(expansion, "HOME");
        at++;
    }
    while (error == OK && *at != '\0') {
        size_t plain = strcspn(at, "$");

        buffer_append(&expansion->out, at, plain);
        at += plain;
        if (*at == '$') {
            at++;
            error = put_variable(expansion, &at);
        }
    }
    return error;
}

enum error config_expand(const char *text, const struct config_variables *variables, char **out,
                         char why[WHY_SIZE])
{
    struct expansion expansion = {.variables = variables, .why = why};
    enum error error;

    buffer_init(&expansion.out, PATH_BYTES_MAX + 1);
    error = expand(&expansion, text);
    buffer_append(&expansion.out, "", 1);
    if (error == OK && buffer_failed(&expansion.out))
        error = error_explain(why, ERROR_INVALID,
                              "With its variables this is longer than %d bytes.", PATH_BYTES_MAX);
    if (error == OK) {
        *out = expansion.out.data; /* its bytes are the caller's now */
        return OK;
    }
    buffer_clear(&expansion.out);
    return error;
}
