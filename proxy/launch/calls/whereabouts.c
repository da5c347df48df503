#include "launch/calls/whereabouts.h"

#include "launch/calls/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES_MAX 4 /* while somebody moves directories about (openat2(2), EAGAIN) */

static int open_of(const struct whereabouts *where, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", where->question->thread, name);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Where the path begins; -1. */
static int open_start(const struct whereabouts *where)
{
    if (where->path != NULL && where->path[0] == '/')
        return open_of(where, "root");
    if (where->descriptor == AT_FDCWD)
        return open_of(where, "cwd");
    return target_descriptor(where->question->thread, where->descriptor);
}

/* A path from "/" is one from the caller's root, and so are the links on its way. */
static int open_path(const struct whereabouts *where, const char *path, uint64_t flags)
{
    bool absolute = path[0] == '/';
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                           .resolve =
                               RESOLVE_NO_MAGICLINKS | (uint64_t)(absolute ? RESOLVE_IN_ROOT : 0)};
    int start = open_start(where), fd = -1, error;

    if (start < 0)
        return -1;
    for (int i = 0; i < TRIES_MAX; i++) {
        fd = (int)syscall(SYS_openat2, start, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    error = errno;
    close(start);
    errno = error;
    return fd;
}

/* What has no place among the files any more has no name that begins at the root. */
static enum error name_of(int fd, char out[PATH_MAX])
{
    static const char gone[] = " (deleted)";
    char link[64];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlinkat(AT_FDCWD, link, out, PATH_MAX - 1);
    if (length <= 0 || length == PATH_MAX - 1 || out[0] != '/')
        return ERROR_IO;
    out[length] = '\0';
    if ((size_t)length > sizeof(gone) - 1 &&
        strcmp(out + (size_t)length - (sizeof(gone) - 1), gone) == 0)
        return ERROR_IO;
    return OK;
}

static enum error look(int fd, char out[PATH_MAX], struct stat *facts)
{
    enum error error = fstat(fd, facts) == 0 ? name_of(fd, out) : ERROR_IO;

    close(fd);
    return error;
}

enum error whereabouts_find(const struct whereabouts *where, char out[PATH_MAX], struct stat *facts)
{
    int fd = where->path == NULL ? open_start(where)
                                 : open_path(where, where->path, where->follow ? 0 : O_NOFOLLOW);

    if (fd >= 0)
        return look(fd, out, facts);
    return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
}

/* Without its last name, and the slashes around that. */
static void take_directory(const char *path, char out[PATH_MAX])
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        snprintf(out, PATH_MAX, ".");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)length, path);
}

enum error whereabouts_find_directory(const struct whereabouts *where, char out[PATH_MAX])
{
    char directory[PATH_MAX];
    struct stat facts;
    int fd;

    if (where->path == NULL || where->path[0] == '\0')
        return ERROR_IO;
    take_directory(where->path, directory);
    fd = open_path(where, directory, O_DIRECTORY);
    return fd >= 0 ? look(fd, out, &facts) : ERROR_IO;
}
