#include "cli/wrap/home.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX       256 /* that are tried */
#define DESCRIPTORS_MAX 16

/* ---- Where ---- */

/* Of this user alone, and really a directory. */
static bool is_private(const char *path)
{
    struct stat facts;

    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid() &&
           (facts.st_mode & 0077) == 0;
}

/* Root's own is in /run, which is nobody else's to write; /run/sidelock is of the system's gate. */
static enum error find_base(char out[HOME_PATH_SIZE], char why[WHY_SIZE])
{
    const char *named = getenv("XDG_RUNTIME_DIR");
    char usual[32];

    snprintf(usual, sizeof(usual), "/run/user/%u", geteuid());
    if (named == NULL || named[0] != '/')
        named = is_private(usual) ? usual : geteuid() == 0 ? "/run" : NULL;
    if (named == NULL)
        return error_explain(why, ERROR_DENIED,
                             "there is no place for its state: set XDG_RUNTIME_DIR to a directory "
                             "that is yours alone, as with `export XDG_RUNTIME_DIR=$(mktemp -d)`");
    if (strcmp(named, "/run") != 0 && !is_private(named))
        return error_explain(why, ERROR_DENIED,
                             "XDG_RUNTIME_DIR names %.64s, which is no directory of yours that is "
                             "closed to others (`chmod 700`)",
                             named);
    if (snprintf(out, HOME_PATH_SIZE, "%s/sidelock%s", named,
                 strcmp(named, "/run") == 0 ? "-wrap" : "") >= HOME_PATH_SIZE)
        return error_explain(why, ERROR_LIMIT, "XDG_RUNTIME_DIR is too long a path");
    if ((mkdir(out, 0700) < 0 && errno != EEXIST) || !is_private(out))
        return error_explain(why, ERROR_IO, "%s cannot be made, or is open to others", out);
    return OK;
}

/* ---- One of them ---- */

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *at)
{
    (void)facts;
    (void)kind;
    return at->level > 0 ? remove(path) : 0;
}

static void empty(const char *path)
{
    (void)nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Whether the path still leads to what was opened. */
static bool is_there(const char *path, int fd)
{
    struct stat there, here;

    return lstat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_ino == here.st_ino &&
           there.st_dev == here.st_dev;
}

/* ERROR_LIMIT: it is another's. */
static enum error take(const char *path, int *lock)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return ERROR_IO;
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*lock < 0)
        return errno == ENOENT ? ERROR_LIMIT : ERROR_IO; /* it was just removed */
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0 && is_there(path, *lock)) {
        empty(path);
        return OK;
    }
    close(*lock);
    return ERROR_LIMIT;
}

enum error home_take(const char *name, struct home *out, char why[WHY_SIZE])
{
    char base[HOME_PATH_SIZE];
    enum error error = find_base(base, why);

    if (error != OK)
        return error;
    error = ERROR_LIMIT;
    for (unsigned i = 1; error == ERROR_LIMIT && i <= NAMES_MAX; i++) {
        char suffix[16] = "";

        if (i > 1)
            snprintf(suffix, sizeof(suffix), "-%u", i);
        if (snprintf(out->path, sizeof(out->path), "%s/%s%s", base, name, suffix) >= HOME_PATH_SIZE)
            return error_explain(why, ERROR_LIMIT, "%s/%s is too long a path for a socket", base,
                                 name);
        error = take(out->path, &out->lock);
    }
    if (error == OK)
        return OK;
    return error_explain(why, error, "%s cannot be made: %s", out->path,
                         error == ERROR_LIMIT ? "too many are there" : strerror(errno));
}

void home_remove(struct home *home)
{
    empty(home->path);
    (void)rmdir(home->path);
    close(home->lock);
}

/* ---- What is in it ---- */

void home_path(const struct home *home, const char *name, char out[HOME_PATH_SIZE + 32])
{
    snprintf(out, HOME_PATH_SIZE + 32, "%s/%.30s", home->path, name);
}

enum error home_write(const struct home *home, const char *name, const char *text)
{
    char path[HOME_PATH_SIZE + 32];
    size_t length = strlen(text);
    ssize_t written;
    int fd;

    home_path(home, name, path);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERROR_IO;
    written = write(fd, text, length);
    if (close(fd) < 0 || written != (ssize_t)length)
        return ERROR_IO;
    return OK;
}
