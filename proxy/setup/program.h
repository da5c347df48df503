/* One program that a service is started with or may start: where it is, and whether it is fit. */
#pragma once

#include "base/error.h"

#include "launch/common/environment.h"

#include <limits.h>
#include <stdbool.h>

/* What is wrong: which member of "upstream", and a sentence. */
struct service_fault {
    char member[48]; /* "command/0", "env_files/1" */
    char text[WHY_SIZE];
};

/* Notes a fault; ERROR_INVALID. */
enum error program_fault(struct service_fault *fault, const char *member, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The value of a variable; NULL. */
const char *program_variable(const struct environment *environment, const char *name);
/* As a shell would find it, in PATH of the environment. */
bool program_look(const char *name, const struct environment *environment, char out[PATH_MAX]);
/* It can be run, and nobody but root and this user could have changed it. */
enum error program_judge(const char *path, const char *member,
                         struct service_fault *fault) MUST_CHECK;
