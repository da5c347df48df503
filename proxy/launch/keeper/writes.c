#include "launch/keeper/writes.h"

#include "launch/keeper/devices.h"
#include "launch/keeper/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As it was, and where it is. */
struct place {
    int copy, at;
};

struct places {
    struct place rows[COMMAND_WRITABLE_MAX];
    size_t count;
};

/* No link leads elsewhere: a service may have put one in the place of what it could write. */
static int open_at(const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* Whoever names what is below /dev means its devices; elsewhere nodes open nothing. */
static bool names_devices(const char *path)
{
    const size_t length = strlen(DEVICES_DIRECTORY);

    return strncmp(path, DEVICES_DIRECTORY, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

static enum error keep_all(const struct command *command, struct places *places)
{
    for (char **path = command->writable; *path != NULL; path++) {
        struct place *place = &places->rows[places->count];

        place->at = open_at(*path);
        if (place->at < 0)
            return ERROR_IO;
        place->copy = mounts_copy(place->at, "", names_devices(*path) ? 0 : MOUNT_ATTR_NODEV);
        if (place->copy < 0) {
            close(place->at);
            return ERROR_IO;
        }
        places->count++;
    }
    return OK;
}

static enum error lay_all(const struct places *places)
{
    enum error error = OK;

    for (size_t i = 0; error == OK && i < places->count; i++)
        error = mounts_lay(places->rows[i].copy, places->rows[i].at, "");
    return error;
}

/* Of the mount alone, not of those on it. */
static enum error open_proc(void)
{
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

    return syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, &writable, sizeof(writable)) == 0
               ? OK
               : ERROR_IO;
}

static enum error make_private(const struct command *command)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    struct stat facts;

    for (const char *const *path = command_private; *path != NULL; path++) {
        if (!command_has_own(command, *path) || lstat(*path, &facts) < 0 || !S_ISDIR(facts.st_mode))
            continue;
        if (mount("tmpfs", *path, "tmpfs", flags, "mode=1777,size=20%") < 0)
            return ERROR_IO;
    }
    return OK;
}

static enum error limit(const struct command *command, const struct places *places,
                        const struct devices *devices)
{
    enum error error = mounts_set(AT_FDCWD, "/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);

    if (error == OK)
        error = open_proc();
    if (error == OK)
        error = devices_lay(devices);
    if (error == OK)
        error = lay_all(places);
    return error == OK ? make_private(command) : error;
}

enum error writes_limit(const struct command *command)
{
    struct places places = {.count = 0};
    struct devices devices;
    enum error error;

    if (!command->limit_writes)
        return OK;
    error = devices_keep(&devices);
    if (error != OK)
        return error;
    error = keep_all(command, &places);
    if (error == OK)
        error = limit(command, &places, &devices);
    for (size_t i = 0; i < places.count; i++) {
        close(places.rows[i].copy);
        close(places.rows[i].at);
    }
    devices_clear(&devices);
    return error;
}
