#include "system/executable.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLED_S 1  /* at least so long ago: more than a tick of any file system's clock */
#define LINKS_MAX 40 /* as the kernel's own limit, path_resolution(7) */

static bool owner_trusted(const struct stat *status)
{
    return status->st_uid == 0 || status->st_uid == geteuid();
}

/*
 * Whether somebody else may replace the file, or what a directory holds. An
 * access control list shows in the group's bits. In a sticky directory only
 * the owner of an entry may replace it, and that owner is checked on its own.
 */
static bool changeable(const struct stat *status)
{
    bool open = (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;

    return !owner_trusted(status) ||
           (open && !(S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX) != 0));
}

/* Puts what the link at `path` says in its place. *name is where its last component begins, then
 * where the next one does. */
static bool follow_link(char path[PATH_MAX], size_t *name, const char *rest)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    int joined_length;

    if (length <= 0)
        return false;
    target[length] = '\0';
    if (target[0] == '/')
        *name = 0;
    joined_length = snprintf(joined, sizeof(joined), "%.*s%s%s", (int)*name, path, target, rest);
    if (joined_length < 0 || (size_t)joined_length >= sizeof(joined))
        return false;
    memcpy(path, joined, (size_t)joined_length + 1);
    return true;
}

/*
 * Looks at every directory and link on the way, as the kernel goes it; then at *status,
 * what it leads to. False if that is nothing.
 */
static bool walk_path(const char *given, struct stat *status, bool *changeable_by_others)
{
    char path[PATH_MAX], rest[PATH_MAX];
    size_t name = 1;
    unsigned links = 0;

    if (given[0] != '/' || strlen(given) >= sizeof(path) || lstat("/", status) != 0)
        return false;
    *changeable_by_others = changeable(status);
    snprintf(path, sizeof(path), "%s", given);
    for (;;) {
        size_t end;

        name += strspn(path + name, "/");
        end = name + strcspn(path + name, "/");
        if (end == name)
            return path[name - 1] != '/' || S_ISDIR(status->st_mode);
        snprintf(rest, sizeof(rest), "%s", path + end);
        path[end] = '\0';
        if (lstat(path, status) != 0)
            return false;
        if (S_ISLNK(status->st_mode)) {
            *changeable_by_others |= !owner_trusted(status);
            if (++links > LINKS_MAX || !follow_link(path, &name, rest))
                return false;
            continue;
        }
        *changeable_by_others |= changeable(status);
        snprintf(path + end, sizeof(path) - end, "%s", rest);
        name = end;
    }
}

static struct executable_identity identify(const struct stat *status)
{
    return (struct executable_identity){.device = status->st_dev,
                                        .inode = status->st_ino,
                                        .bytes = status->st_size,
                                        .modified = status->st_mtim,
                                        .changed = status->st_ctim};
}

static bool same_time(struct timespec one, struct timespec other)
{
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

bool executable_same(const struct executable_identity *one, const struct executable_identity *other)
{
    return one->device == other->device && one->inode == other->inode &&
           one->bytes == other->bytes && same_time(one->modified, other->modified) &&
           same_time(one->changed, other->changed);
}

static bool is_open(int fd, const struct executable_identity *identity)
{
    struct executable_identity found;
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    found = identify(&status);
    return executable_same(&found, identity);
}

/* Two changes within one tick of the file system's clock have one time. */
static bool is_settled(const struct executable_identity *identity)
{
    struct timespec now;

    return clock_gettime(CLOCK_REALTIME, &now) == 0 &&
           now.tv_sec - identity->changed.tv_sec > SETTLED_S;
}

enum error executable_hash(const char *resolved, const struct executable_identity *identity,
                           char out[SHA256_HEX_SIZE], bool *settled)
{
    int fd = open(resolved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum error error = ERROR_STATE;

    if (fd < 0)
        return ERROR_IO;
    *settled = is_settled(identity);
    if (is_open(fd, identity)) {
        error = ERROR_IO;
        if (identity->bytes <= EXECUTABLE_HASH_BYTES_MAX &&
            secret_sha256_fd(fd, EXECUTABLE_HASH_BYTES_MAX, out) == OK)
            error = is_open(fd, identity) ? OK : ERROR_STATE;
    }
    close(fd);
    return error;
}

void executable_look(const char *path, struct exec_facts *out, struct executable_identity *identity)
{
    struct exec_facts facts = {.exists = false};
    struct stat status;

    _Static_assert(sizeof(facts.resolved) >= PATH_MAX, "a resolved path fits");
    *out = (struct exec_facts){.exists = false};
    *identity = (struct executable_identity){.bytes = 0};
    if (!walk_path(path, &status, &facts.writable_by_others) ||
        realpath(path, facts.resolved) == NULL)
        return;
    facts.exists = S_ISREG(status.st_mode) && (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    *identity = identify(&status);
    *out = facts;
}
