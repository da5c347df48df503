#include "launch/keeper/terminals.h"

#include "launch/keeper/mounts.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PLACE   "/dev/pts"
#define CONSOLE "/dev/console"

/* Their major numbers (Documentation/admin-guide/devices.txt). */
#define PSEUDO_FIRST 136u
#define PSEUDO_LAST  143u

/* Of the one that is given; -1: there is none, or it is none of the host's that can be found. */
static int copy_given(const int *given, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64];

        if (given[i] >= 0 && ttyname_r(given[i], name, sizeof(name)) == 0 &&
            strncmp(name, PLACE "/", strlen(PLACE "/")) == 0)
            return mounts_copy(AT_FDCWD, name, 0);
    }
    return -1;
}

static bool is_given(const struct stat *terminal, const int *given, size_t count)
{
    struct stat facts;

    for (size_t i = 0; i < count; i++) {
        if (given[i] >= 0 && fstat(given[i], &facts) == 0 && facts.st_dev == terminal->st_dev &&
            facts.st_ino == terminal->st_ino)
            return true;
    }
    return false;
}

/* In a container it is one of its operator's pseudoterminals. */
static enum error hide_console(const int *given, size_t count)
{
    struct stat facts;

    if (lstat(CONSOLE, &facts) < 0 || !S_ISCHR(facts.st_mode) ||
        major(facts.st_rdev) < PSEUDO_FIRST || major(facts.st_rdev) > PSEUDO_LAST ||
        is_given(&facts, given, count))
        return OK;
    return mount("/dev/null", CONSOLE, NULL, MS_BIND, NULL) == 0 ? OK : ERROR_IO;
}

enum error terminals_make(const int *given, size_t count)
{
    struct stat facts;
    int copy;
    enum error error = OK;

    if (hide_console(given, count) != OK)
        return ERROR_IO;
    if (lstat(PLACE, &facts) < 0 || !S_ISDIR(facts.st_mode))
        return OK;
    copy = copy_given(given, count);
    if (mount("devpts", PLACE, "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=0620") < 0)
        error = ERROR_IO;
    if (error == OK && copy >= 0 && lstat(CONSOLE, &facts) == 0 && S_ISCHR(facts.st_mode))
        error = mounts_lay(copy, AT_FDCWD, CONSOLE);
    if (copy >= 0)
        close(copy);
    return error;
}
