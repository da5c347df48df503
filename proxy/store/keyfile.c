#include "store/keyfile.h"

#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME     "key"
#define NEW_NAME "key.new"

static enum error read_key(int fd, const char *path, struct secret_key **out, char *why,
                           size_t why_size)
{
    unsigned char bytes[SECRET_KEY_BYTES + 1];
    enum error error = trusted_file_check(fd, path, TRUSTED_FILE_SECRET, why, why_size);
    ssize_t length;

    if (error != OK)
        return error;
    length = read(fd, bytes, sizeof(bytes));
    if (length == SECRET_KEY_BYTES) {
        error = secret_key_from_bytes(bytes, out);
        if (error != OK)
            snprintf(why, why_size, "cannot hold the key of %s: %s", path, error_text(error));
    } else {
        error = ERROR_INVALID;
        snprintf(why, why_size,
                 "the key file %s does not hold exactly %d bytes; restore it from a backup", path,
                 SECRET_KEY_BYTES);
    }
    secret_wipe(bytes, sizeof(bytes));
    return error;
}

enum error keyfile_read(int directory_fd, const char *path, struct secret_key **out, char *why,
                        size_t why_size)
{
    int fd = openat(directory_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum error error;

    if (fd < 0) {
        error = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
        snprintf(why, why_size, "cannot open the key file %s: %s", path, strerror(errno));
        return error;
    }
    error = read_key(fd, path, out, why, why_size);
    close(fd);
    return error;
}

static bool write_key(int fd)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    bool written = secret_random(bytes, sizeof(bytes)) == OK &&
                   write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && fsync(fd) == 0;

    secret_wipe(bytes, sizeof(bytes));
    return written;
}

enum error keyfile_make(int directory_fd, const char *path, char *why, size_t why_size)
{
    bool made;
    int fd;

    if (faccessat(directory_fd, NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        snprintf(why, why_size, "there is a key file %s already", path);
        return ERROR_EXISTS;
    }
    /* One left by a crash: never finished, so never used. */
    (void)unlinkat(directory_fd, NEW_NAME, 0);
    fd = openat(directory_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                S_IRUSR | S_IWUSR);
    made = fd >= 0 && write_key(fd);
    if (fd >= 0)
        close(fd);
    made = made && renameat(directory_fd, NEW_NAME, directory_fd, NAME) == 0 &&
           fsync(directory_fd) == 0;
    if (made)
        return OK;
    snprintf(why, why_size, "cannot make the key file %s: %s", path, strerror(errno));
    (void)unlinkat(directory_fd, NEW_NAME, 0);
    return ERROR_IO;
}
