#include "launch/keeper/devices.h"

#include "launch/keeper/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TERMINALS       DEVICES_DIRECTORY "/pts"
#define CONSOLE         DEVICES_DIRECTORY "/console"
#define TERMINAL_SYSTEM 5 /* the major number of the host's own, and of /dev/tty and /dev/ptmx */

/* A devpts knows its own ptmx; another is one of the directory that it is found in. */
static const struct {
    const char *place, *source;
} kept[] = {
    {DEVICES_DIRECTORY "/null", DEVICES_DIRECTORY "/null"},
    {DEVICES_DIRECTORY "/zero", DEVICES_DIRECTORY "/zero"},
    {DEVICES_DIRECTORY "/full", DEVICES_DIRECTORY "/full"},
    {DEVICES_DIRECTORY "/random", DEVICES_DIRECTORY "/random"},
    {DEVICES_DIRECTORY "/urandom", DEVICES_DIRECTORY "/urandom"},
    {DEVICES_DIRECTORY "/tty", DEVICES_DIRECTORY "/tty"},
    {DEVICES_DIRECTORY "/ptmx", TERMINALS "/ptmx"},
    {CONSOLE, CONSOLE},
};

_Static_assert(sizeof(kept) / sizeof(kept[0]) == DEVICES_KEPT, "one copy each");

/* Not through a link, and no console but one that the tree was handed (terminals.h). */
static bool is_kept(const char *place, const char *source)
{
    struct stat facts, named;

    if (lstat(place, &named) < 0 || lstat(source, &facts) < 0 || !S_ISCHR(named.st_mode) ||
        !S_ISCHR(facts.st_mode))
        return false;
    return source != kept[DEVICES_KEPT - 1].source || major(facts.st_rdev) != TERMINAL_SYSTEM;
}

enum error devices_keep(struct devices *out)
{
    enum error error = OK;

    for (size_t i = 0; i < DEVICES_KEPT; i++) {
        out->copies[i] = -1;
        if (error != OK || !is_kept(kept[i].place, kept[i].source))
            continue;
        out->copies[i] = mounts_copy(AT_FDCWD, kept[i].source, 0);
        if (out->copies[i] < 0)
            error = ERROR_IO;
    }
    if (error != OK)
        devices_clear(out);
    return error;
}

/* The tree's own, if there is one. */
static enum error open_terminals(void)
{
    struct mount_attr usable = {.attr_clr = MOUNT_ATTR_NODEV};
    struct stat facts;

    if (lstat(TERMINALS, &facts) < 0 || !S_ISDIR(facts.st_mode))
        return OK;
    return syscall(SYS_mount_setattr, AT_FDCWD, TERMINALS, 0, &usable, sizeof(usable)) == 0
               ? OK
               : ERROR_IO;
}

enum error devices_lay(const struct devices *devices)
{
    enum error error = open_terminals();

    for (size_t i = 0; error == OK && i < DEVICES_KEPT; i++) {
        if (devices->copies[i] >= 0)
            error = mounts_lay(devices->copies[i], AT_FDCWD, kept[i].place);
    }
    return error;
}

void devices_clear(struct devices *devices)
{
    int error = errno;

    for (size_t i = 0; i < DEVICES_KEPT; i++) {
        if (devices->copies[i] >= 0)
            close(devices->copies[i]);
        devices->copies[i] = -1;
    }
    errno = error;
}
