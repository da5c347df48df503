#include "launch/keeper/islands.h"

#include "base/text.h"
#include "launch/keeper/mounts.h"
#include "launch/keeper/programs_below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

struct island {
    char *path;
    int mount; /* a copy of what was there, with its own flags */
};

struct islands {
    struct island rows[COMMAND_LIBRARIES + 2 * COMMAND_EXECUTABLES_MAX];
    size_t count;
};

static bool is_within(const char *path, const struct islands *islands)
{
    for (size_t i = 0; i < islands->count; i++) {
        const char *island = islands->rows[i].path;
        size_t length = strlen(island);

        if (strncmp(path, island, length) == 0 && (path[length] == '/' || path[length] == '\0'))
            return true;
    }
    return false;
}

static enum error add(struct islands *islands, const char *path)
{
    char *real = realpath(path, NULL);
    int mount = real != NULL ? mounts_copy(AT_FDCWD, real, MOUNT_ATTR_RDONLY) : -1;

    if (mount < 0) {
        free(real);
        return ERROR_IO;
    }
    islands->rows[islands->count++] = (struct island){.path = real, .mount = mount};
    return OK;
}

/* What lies within another is there already. */
static enum error add_directories(struct islands *islands, char *const *libraries)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < COMMAND_LIBRARIES; i++) {
        char *real = realpath(command_libraries[i], NULL);

        if (real != NULL && !is_within(real, islands))
            error = add(islands, real);
        free(real);
    }
    for (; error == OK && *libraries != NULL; libraries++) {
        if (!is_within(*libraries, islands))
            error = add(islands, *libraries);
    }
    return error;
}

static enum error deny(void *context, const char *path)
{
    int mount = mounts_copy(AT_FDCWD, path, MOUNT_ATTR_NOEXEC);
    enum error error = mount >= 0 ? mounts_lay(mount, AT_FDCWD, path) : ERROR_IO;

    (void)context;
    if (mount >= 0)
        close(mount);
    return error == OK || errno == ENOENT ? OK : error; /* it has gone meanwhile */
}

static enum error raise(const struct islands *islands, size_t directories)
{
    enum error error = mounts_set(AT_FDCWD, "/", MOUNT_ATTR_NOEXEC);

    for (size_t i = 0; error == OK && i < directories; i++)
        error = mounts_lay(islands->rows[i].mount, AT_FDCWD, islands->rows[i].path);
    for (size_t i = 0; error == OK && i < directories; i++)
        error = programs_below(islands->rows[i].path, deny, NULL);
    for (size_t i = directories; error == OK && i < islands->count; i++)
        error = mounts_lay(islands->rows[i].mount, AT_FDCWD, islands->rows[i].path);
    return error;
}

enum error islands_make(const struct command *command)
{
    struct islands *islands = command->executables[0] != NULL ? calloc(1, sizeof(*islands)) : NULL;
    size_t directories;
    enum error error;

    if (command->executables[0] == NULL)
        return OK;
    if (islands == NULL)
        return ERROR_IO;
    error = add_directories(islands, command->libraries);
    directories = islands->count;
    for (char **file = command->executables; error == OK && *file != NULL; file++)
        error = add(islands, *file);
    if (error == OK)
        error = raise(islands, directories);
    for (size_t i = 0; i < islands->count; i++) {
        close(islands->rows[i].mount);
        free(islands->rows[i].path);
    }
    free(islands);
    return error;
}
