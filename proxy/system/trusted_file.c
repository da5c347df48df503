#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum error trusted_file_check(int fd, const char *path, enum trusted_file_kind kind,
                              char why[WHY_SIZE])
{
    struct stat facts;

    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        return error_explain(why, ERROR_INVALID, "%.150s is not a regular file.", path);
    if (facts.st_uid != geteuid() && facts.st_uid != 0)
        return error_explain(
            why, ERROR_DENIED,
            "%.120s belongs to uid %u; it must belong to the user who runs Sidelock, or root.",
            path, (unsigned)facts.st_uid);
    if (kind == TRUSTED_FILE_SECRET && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_explain(why, ERROR_DENIED, "%.150s is open to others; run chmod 600 on it.",
                             path);
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return error_explain(why, ERROR_DENIED,
                             "%.150s can be changed by others; run chmod go-w on it.", path);
    return OK;
}

enum error trusted_file_read(const char *path, enum trusted_file_kind kind, struct buffer *out,
                             char why[WHY_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum error error;

    if (fd < 0)
        return error_explain(why, errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_IO,
                             "%.150s cannot be opened: %s.", path, strerror(errno));
    error = trusted_file_check(fd, path, kind, why);
    if (error == OK) {
        error = buffer_append_fd(out, fd);
        if (error == ERROR_IO)
            error_explain(why, error, "%.150s cannot be read: %s.", path, strerror(errno));
        else if (error != OK)
            error_explain(why, error, "%.150s is larger than %zu bytes.", path, out->max_bytes);
    }
    close(fd);
    return error;
}
