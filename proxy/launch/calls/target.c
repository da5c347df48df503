#include "launch/calls/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than the headers of Debian 12: a pidfd of one thread (6.9). */
#define THREAD_PIDFD O_EXCL

#define PROC_FILE_SIZE 8192
#define PAGE           4096u

static enum error read_file(pid_t thread, const char *name, char out[PROC_FILE_SIZE])
{
    char path[64];
    int fd;
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/%d/%s", thread, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERROR_IO;
    length = read(fd, out, PROC_FILE_SIZE - 1);
    close(fd);
    out[length > 0 ? length : 0] = '\0';
    return length > 0 ? OK : ERROR_IO;
}

/* What stands behind `name` at the start of a line; NULL. */
static const char *field(const char *text, const char *name)
{
    size_t length = strlen(name);

    while (text != NULL && strncmp(text, name, length) != 0) {
        text = strchr(text, '\n');
        if (text != NULL)
            text++;
    }
    return text == NULL ? NULL : text + length;
}

static unsigned long number(const char *text, const char *name, int base)
{
    const char *value = field(text, name);

    return value == NULL ? 0 : strtoul(value, NULL, base);
}

/* Before 6.9 only of a whole process, whose threads may have descriptors of their own: then
 * another socket of the tree is acted on, which is the tree's own affair. */
static int open_pidfd(pid_t thread)
{
    char status[PROC_FILE_SIZE];
    long fd = syscall(SYS_pidfd_open, thread, THREAD_PIDFD);

    if (fd < 0 && errno == EINVAL) {
        if (read_file(thread, "status", status) != OK)
            return -1;
        fd = syscall(SYS_pidfd_open, (pid_t)number(status, "Tgid:", 10), 0);
    }
    return (int)fd;
}

int target_descriptor(pid_t thread, int descriptor)
{
    int pidfd = open_pidfd(thread), copy, error;

    if (pidfd < 0)
        return -1;
    copy = (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
    error = errno;
    close(pidfd);
    errno = error;
    return copy;
}

bool target_closes_on_exec(pid_t thread, int descriptor)
{
    char name[32], text[PROC_FILE_SIZE];

    snprintf(name, sizeof(name), "fdinfo/%d", descriptor);
    return read_file(thread, name, text) == OK && (number(text, "flags:", 8) & O_CLOEXEC) != 0;
}

enum error target_copy(pid_t thread, uint64_t address, void *out, size_t length)
{
    struct iovec here = {.iov_base = out, .iov_len = length};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
    ssize_t copied = process_vm_readv(thread, &here, 1, &there, 1, 0);

    if (copied >= 0 && (size_t)copied != length)
        errno = EFAULT;
    return copied == (ssize_t)length ? OK : ERROR_IO;
}

enum error target_write(pid_t thread, uint64_t address, const void *bytes, size_t length)
{
    struct iovec here = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
    ssize_t written = process_vm_writev(thread, &here, 1, &there, 1, 0);

    if (written >= 0 && (size_t)written != length)
        errno = EFAULT;
    return written == (ssize_t)length ? OK : ERROR_IO;
}

enum error target_copy_text(pid_t thread, uint64_t address, char *out, size_t size)
{
    size_t have = 0;

    while (have < size) {
        /* A page at a time: what follows the text may not be mapped. */
        size_t piece = PAGE - (size_t)((address + have) % PAGE);

        if (piece > size - have)
            piece = size - have;
        if (target_copy(thread, address + have, out + have, piece) != OK)
            return ERROR_IO;
        if (memchr(out + have, '\0', piece) != NULL)
            return OK;
        have += piece;
    }
    errno = EINVAL;
    return ERROR_IO;
}

void target_name(pid_t thread, char out[PORT_PROGRAM_SIZE])
{
    char text[PROC_FILE_SIZE];

    out[0] = '\0';
    if (read_file(thread, "comm", text) == OK)
        snprintf(out, PORT_PROGRAM_SIZE, "%.*s", (int)strcspn(text, "\n"), text);
}

bool target_is_signalled(pid_t thread)
{
    char status[PROC_FILE_SIZE];

    return read_file(thread, "status", status) == OK &&
           ((number(status, "SigPnd:", 16) | number(status, "ShdPnd:", 16)) &
            ~number(status, "SigBlk:", 16)) != 0;
}

static int open_place(pid_t thread, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", thread, name);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The fourth of the numbers: real, effective, saved, of the file system. */
static unsigned long of_file_system(const char *text, const char *name)
{
    const char *value = field(text, name);
    unsigned long found = 0;
    char *end;

    for (int i = 0; value != NULL && i < 4; i++) {
        found = strtoul(value, &end, 10);
        value = end;
    }
    return found;
}

static size_t read_groups(const char *text, gid_t out[TARGET_GROUPS_MAX])
{
    const char *at = field(text, "Groups:");
    size_t count = 0;
    char *end;

    while (at != NULL && count < TARGET_GROUPS_MAX) {
        at += strspn(at, " \t");
        if (*at < '0' || *at > '9')
            break;
        out[count++] = (gid_t)strtoul(at, &end, 10);
        at = end;
    }
    return count;
}

enum error target_user(pid_t thread, uid_t *uid, gid_t *gid)
{
    char status[PROC_FILE_SIZE];

    if (read_file(thread, "status", status) != OK)
        return ERROR_IO;
    *uid = (uid_t)of_file_system(status, "Uid:");
    *gid = (gid_t)of_file_system(status, "Gid:");
    return OK;
}

enum error target_see(pid_t thread, struct target_view *out)
{
    char status[PROC_FILE_SIZE];
    struct target_view view;

    if (read_file(thread, "status", status) != OK)
        return ERROR_IO;
    view.umask = (mode_t)number(status, "Umask:", 8);
    view.uid = (uid_t)of_file_system(status, "Uid:");
    view.gid = (gid_t)of_file_system(status, "Gid:");
    view.group_count = read_groups(status, view.groups);
    view.capabilities = number(status, "CapEff:", 16);
    view.root = open_place(thread, "root");
    if (view.root < 0)
        return ERROR_IO;
    view.directory = open_place(thread, "cwd");
    if (view.directory < 0) {
        close(view.root);
        return ERROR_IO;
    }
    *out = view;
    return OK;
}
