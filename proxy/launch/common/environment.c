#include "launch/common/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const passed[] = {"PATH", "HOME",     "USER", "LOGNAME", "SHELL",    "LANG",
                                     "TZ",   "LANGUAGE", "TERM", "TMPDIR",  "COLORTERM"};

static size_t name_length(const char *item)
{
    return strcspn(item, "=");
}

static bool is_passed(const char *item)
{
    size_t length = name_length(item);

    if (strncmp(item, "LC_", 3) == 0)
        return true;
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        if (strlen(passed[i]) == length && strncmp(item, passed[i], length) == 0)
            return true;
    }
    return false;
}

static void forget(char *item)
{
    explicit_bzero(item, strlen(item));
    free(item);
}

/* Where the one of that name is, or would be. */
static size_t place_of(const struct environment *environment, const char *item)
{
    size_t length = name_length(item), i = 0;

    while (i < environment->count && (name_length(environment->items[i]) != length ||
                                      strncmp(environment->items[i], item, length) != 0))
        i++;
    return i;
}

enum error environment_set(struct environment *environment, const char *item)
{
    size_t place = place_of(environment, item);
    char *copy;

    if (item[0] == '=' || strchr(item, '=') == NULL)
        return ERROR_INVALID;
    copy = strdup(item);
    if (copy == NULL)
        return ERROR_MEMORY;
    if (place == environment->count) {
        char **items = reallocarray(environment->items, place + 2, sizeof(*items));

        if (items == NULL) {
            forget(copy);
            return ERROR_MEMORY;
        }
        environment->items = items;
        environment->items[++environment->count] = NULL;
    } else {
        forget(environment->items[place]);
    }
    environment->items[place] = copy;
    return OK;
}

void environment_unset(struct environment *environment, const char *name)
{
    size_t place = place_of(environment, name);

    if (place == environment->count)
        return;
    forget(environment->items[place]);
    memmove(environment->items + place, environment->items + place + 1,
            (environment->count - place) * sizeof(*environment->items)); /* the NULL, too */
    environment->count--;
}

enum error environment_begin(struct environment *environment, char *const *ours)
{
    enum error error = OK;

    *environment = (struct environment){.items = calloc(1, sizeof(char *))};
    if (environment->items == NULL)
        return ERROR_MEMORY;
    for (; error == OK && *ours != NULL; ours++) {
        if (is_passed(*ours) && strchr(*ours, '=') != NULL)
            error = environment_set(environment, *ours);
    }
    if (error != OK)
        environment_clear(environment);
    return error;
}

void environment_clear(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        forget(environment->items[i]);
    free(environment->items);
    *environment = (struct environment){0};
}
