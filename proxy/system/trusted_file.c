#include "system/trusted_file.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

static enum error check_owner(const char *path, enum trusted_file_kind kind, int fd,
                              char why[TRUSTED_FILE_WHY_SIZE])
{
    struct stat facts;

    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        snprintf(why, TRUSTED_FILE_WHY_SIZE, "%.150s is not a regular file.", path);
    else if (facts.st_uid != geteuid() && facts.st_uid != 0)
        snprintf(why, TRUSTED_FILE_WHY_SIZE,
                 "%.120s belongs to uid %u; it must belong to the user who runs Sidelock, or root.",
                 path, (unsigned)facts.st_uid);
    else if (kind == TRUSTED_FILE_SECRET && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        snprintf(why, TRUSTED_FILE_WHY_SIZE, "%.150s is open to others; run chmod 600 on it.",
                 path);
    else if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        snprintf(why, TRUSTED_FILE_WHY_SIZE,
                 "%.150s can be changed by others; run chmod go-w on it.", path);
    else
        return OK;
    return ERROR_DENIED;
}

static enum error read_bytes(const char *path, int fd, struct buffer *out,
                             char why[TRUSTED_FILE_WHY_SIZE])
{
    char bytes[CHUNK_BYTES];
    ssize_t length;

    while ((length = read(fd, bytes, sizeof(bytes))) > 0)
        buffer_append(out, bytes, (size_t)length);
    secret_wipe(bytes, sizeof(bytes));
    if (length < 0)
        snprintf(why, TRUSTED_FILE_WHY_SIZE, "%.150s cannot be read: %s.", path, strerror(errno));
    else if (buffer_failed(out))
        snprintf(why, TRUSTED_FILE_WHY_SIZE, "%.150s is larger than %zu bytes.", path,
                 out->max_bytes);
    else
        return OK;
    return length < 0 ? ERROR_IO : ERROR_LIMIT;
}

enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct buffer *out,
                             char why[TRUSTED_FILE_WHY_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum error error;

    if (fd < 0) {
        snprintf(why, TRUSTED_FILE_WHY_SIZE, "%.150s cannot be opened: %s.", path, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_IO;
    }
    error = check_owner(path, kind, fd, why);
    if (error == OK)
        error = read_bytes(path, fd, out, why);
    close(fd);
    return error;
}
