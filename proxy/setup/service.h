/*
 * What the service of a surface with a command is started with, found on this host: the same for
 * `check`, for `serve`, for a reload and at each start.
 */
#pragma once

#include "launch/common/command.h"
#include "launch/common/environment.h"
#include "setup/bundle.h"
#include "setup/programs.h"

#include <limits.h>

#define SERVICE_FILE_BYTES_MAX (256 * 1024) /* of one of its env_files */

struct service {
    struct command command; /* its lists point into what follows */
    struct environment environment;
    struct text_list arguments, hidden, writable;
    struct programs programs;
    char program[PATH_MAX]; /* where it is */
};

/*
 * Finds the program, the user, the directory, and reads the files of its environment, whose values
 * are in no sentence. `ours` is the environment of this process. What it may write is held against
 * every other service. ERROR_INVALID with a fault.
 */
enum error service_find(const struct config_bundle *bundle, const struct surface *surface,
                        char *const *ours, struct service *out,
                        struct service_fault *fault) MUST_CHECK;
/*
 * The same of another command than the surface's own: its user, env_files, executables
 * and libraries are the surface's. Other services are not looked at: nothing of theirs is in a
 * record, and a configuration was held against them when it was taken.
 * The command must outlive *out.
 */
enum error service_find_other(const struct config_bundle *bundle, const struct surface *surface,
                              const struct surface_command *other, char *const *ours,
                              struct service *out, struct service_fault *fault) MUST_CHECK;
/* As much of that as is known before a session's record says what is started. */
enum error service_check_records(const struct config_bundle *bundle, const struct surface *surface,
                                 char *const *ours, struct service_fault *fault) MUST_CHECK;
/* Wipes the environment. */
void service_clear(struct service *service);
