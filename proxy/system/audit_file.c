#include "system/audit_file.h"

#include "base/log.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In which the line that was anchored last is looked for at a start. */
#define ANCHOR_WINDOW_BYTES ((off_t)4 * 1024 * 1024)

enum error audit_file_open(const char *path, int *out)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                  S_IRUSR | S_IWUSR);
    char why[WHY_SIZE];

    if (fd < 0)
        return ERROR_IO;
    if (trusted_file_check(fd, path, TRUSTED_FILE_POLICY, why) != OK) {
        log_error("%s", why);
        close(fd);
        errno = EINVAL;
        return ERROR_IO;
    }
    *out = fd;
    return OK;
}

bool audit_file_find(int fd, uint64_t sequence, char digest[SHA256_HEX_SIZE])
{
    off_t size = lseek(fd, 0, SEEK_END);
    char prefix[48], *window = malloc(ANCHOR_WINDOW_BYTES);
    int prefix_length =
        snprintf(prefix, sizeof(prefix), "{\"seq\":%llu,", (unsigned long long)sequence);
    struct span rest = {window, 0};
    bool found = false;
    ssize_t length = window == NULL
                         ? -1
                         : pread(fd, window, ANCHOR_WINDOW_BYTES,
                                 size > ANCHOR_WINDOW_BYTES ? size - ANCHOR_WINDOW_BYTES : 0);

    rest.length = length > 0 ? (size_t)length : 0;
    while (!found && rest.length > 0) {
        struct span line = span_split(&rest, '\n');

        found = line.length > (size_t)prefix_length &&
                memcmp(line.data, prefix, (size_t)prefix_length) == 0;
        if (found)
            secret_sha256_hex(line.data, line.length, digest);
    }
    free(window);
    return found;
}
