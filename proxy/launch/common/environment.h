/*
 * The environment of a service: of ours what programs need to find their way, never what leads to
 * the operator's own sockets and secrets; and over it what the surface sets.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct environment {
    char **items; /* "NAME=value" each; ends with NULL */
    size_t count;
};

/*
 * PATH, HOME, USER, LOGNAME, SHELL, LANG, LANGUAGE, LC_*, TZ, TERM, COLORTERM and TMPDIR of
 * `ours`, which ends with NULL.
 */
enum error environment_begin(struct environment *environment, char *const *ours) MUST_CHECK;

/* "NAME=value"; in the place of one that has the name. ERROR_INVALID: it has none. */
enum error environment_set(struct environment *environment, const char *item) MUST_CHECK;

/* The one of that name, if there is one. */
void environment_unset(struct environment *environment, const char *name);

/* Wipes values, which may be secrets, and frees. */
void environment_clear(struct environment *environment);
