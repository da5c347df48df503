#include "system/executable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's own limit, path_resolution(7) */

/* A path being resolved, one component at a time. */
struct walk {
    char resolved[PATH_MAX]; /* the directories so far, no links; "" is the root */
    char rest[PATH_MAX];     /* what is still to be followed */
    struct stat status;      /* of the last entry that was no link */
    unsigned links;
    bool writable_by_others; /* something on the way */
};

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

/* Cuts the next component off the rest; false: there is none. */
static bool next_component(struct walk *walk, char component[NAME_MAX + 1])
{
    size_t skipped = strspn(walk->rest, "/");
    size_t length = strcspn(walk->rest + skipped, "/");

    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(component, walk->rest + skipped, length);
    component[length] = '\0';
    memmove(walk->rest, walk->rest + skipped + length, strlen(walk->rest + skipped + length) + 1);
    return true;
}

/* Puts a link's target in front of the rest, which is empty or begins with a slash. */
static bool follow_link(struct walk *walk, const char *path)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    int joined_length;

    if (length <= 0 || ++walk->links > LINKS_MAX)
        return false;
    target[length] = '\0';
    joined_length = snprintf(joined, sizeof(joined), "%s%s", target, walk->rest);
    if (joined_length < 0 || (size_t)joined_length >= sizeof(joined))
        return false;
    memcpy(walk->rest, joined, (size_t)joined_length + 1);
    if (target[0] == '/')
        walk->resolved[0] = '\0';
    return true;
}

/* One step from `resolved`; false: there is no such thing. */
static bool walk_step(struct walk *walk, const char *component)
{
    char path[PATH_MAX];
    struct stat status;
    int length;

    if (!S_ISDIR(walk->status.st_mode))
        return false;
    if (strcmp(component, ".") == 0)
        return true;
    if (strcmp(component, "..") == 0) {
        char *slash = strrchr(walk->resolved, '/');

        if (slash != NULL)
            *slash = '\0';
        return true;
    }
    length = snprintf(path, sizeof(path), "%s/%s", walk->resolved, component);
    if (length < 0 || (size_t)length >= sizeof(path) || lstat(path, &status) != 0)
        return false;
    if (S_ISLNK(status.st_mode)) {
        walk->writable_by_others |= !owner_trusted(&status);
        return follow_link(walk, path);
    }
    walk->writable_by_others |= changeable(&status);
    walk->status = status;
    memcpy(walk->resolved, path, (size_t)length + 1);
    return true;
}

static bool walk_path(struct walk *walk, const char *path)
{
    char component[NAME_MAX + 1];

    if (path[0] != '/' || strlen(path) >= sizeof(walk->rest) || lstat("/", &walk->status) != 0)
        return false;
    walk->writable_by_others = changeable(&walk->status);
    snprintf(walk->rest, sizeof(walk->rest), "%s", path);
    while (next_component(walk, component)) {
        if (!walk_step(walk, component))
            return false;
    }
    /* What is left is nothing, a slash (only a directory has one), or a name too long. */
    return walk->rest[0] == '\0' || S_ISDIR(walk->status.st_mode);
}

/* Reads the whole file; the caller frees. The descriptor is the very file that was examined. */
static enum error read_whole(int fd, const struct stat *expected, char **out, size_t *length)
{
    struct stat status;
    size_t used = 0, size;
    char *bytes;

    if (fstat(fd, &status) != 0 || status.st_dev != expected->st_dev ||
        status.st_ino != expected->st_ino || status.st_size < 0 ||
        status.st_size > EXECUTABLE_HASH_BYTES_MAX)
        return ERROR_IO;
    size = (size_t)status.st_size;
    bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL)
        return ERROR_MEMORY;
    while (used < size) {
        ssize_t more = read(fd, bytes + used, size - used);

        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0) {
            free(bytes);
            return ERROR_IO;
        }
        used += (size_t)more;
    }
    *out = bytes;
    *length = size;
    return OK;
}

static enum error hash_file(const char *path, const struct stat *expected,
                            char out[SHA256_HEX_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t length = 0;
    char *bytes = NULL;
    enum error error;

    if (fd < 0)
        return ERROR_IO;
    error = read_whole(fd, expected, &bytes, &length);
    close(fd);
    if (error == OK)
        secret_sha256_hex(bytes, length, out);
    free(bytes);
    return error;
}

enum error executable_facts(void *context, const char *path, bool hash, struct exec_facts *out)
{
    struct walk walk = {.links = 0};
    struct exec_facts facts = {.exists = false};

    (void)context;
    if (!walk_path(&walk, path)) {
        *out = facts;
        return OK;
    }
    facts.exists =
        S_ISREG(walk.status.st_mode) && (walk.status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    facts.writable_by_others = walk.writable_by_others;
    _Static_assert(sizeof(facts.resolved) >= sizeof(walk.resolved), "a resolved path fits");
    memcpy(facts.resolved, walk.resolved, sizeof(walk.resolved));
    if (facts.exists && hash) {
        enum error error = hash_file(facts.resolved, &walk.status, facts.sha256);

        if (error != OK)
            return error;
    }
    *out = facts;
    return OK;
}
