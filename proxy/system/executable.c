#include "system/executable.h"

#include "system/trusted_path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLED_S 1 /* at least so long ago: more than a tick of any file system's clock */

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
    struct trusted_path found;

    _Static_assert(sizeof(facts.resolved) >= sizeof(found.resolved), "a resolved path fits");
    *out = (struct exec_facts){.exists = false};
    *identity = (struct executable_identity){.bytes = 0};
    if (path[0] != '/' || !trusted_path_survey(path, &found, &facts.writable_by_others))
        return;
    trusted_path_close(&found);
    memcpy(facts.resolved, found.resolved, sizeof(found.resolved));
    facts.exists =
        S_ISREG(found.facts.st_mode) && (found.facts.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    *identity = identify(&found.facts);
    *out = facts;
}
