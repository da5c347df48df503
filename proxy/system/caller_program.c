#include "system/caller_program.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_BYTES 64 /* "socket:[4294967295]" */

struct search {
    char wanted[LINK_BYTES]; /* how a descriptor of the socket reads */
    uint32_t uid;
    unsigned looks;
    bool unclear;
    char *found; /* "": nobody yet */
};

static DIR *open_at(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *opened = fd >= 0 ? fdopendir(fd) : NULL;

    if (opened == NULL && fd >= 0)
        close(fd);
    return opened;
}

static bool holds(struct search *search, int process)
{
    DIR *descriptors = open_at(process, "fd");
    const struct dirent *entry;
    bool found = false;

    while (descriptors != NULL && !found && (entry = readdir(descriptors)) != NULL) {
        char link[LINK_BYTES];
        ssize_t length;

        if (++search->looks > CALLER_PROGRAM_LOOKS_MAX)
            break;
        length = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof(link));
        found = length == (ssize_t)strlen(search->wanted) &&
                memcmp(link, search->wanted, (size_t)length) == 0;
    }
    if (descriptors != NULL)
        closedir(descriptors);
    return found;
}

/* The path must lead to the very file that is executed: in a mount namespace it need not. */
static bool read_program(int process, char out[CALLER_PROGRAM_SIZE])
{
    struct stat executed, there;
    ssize_t length = readlinkat(process, "exe", out, CALLER_PROGRAM_SIZE);

    if (length <= 0 || length >= CALLER_PROGRAM_SIZE)
        return false;
    out[length] = '\0';
    return fstatat(process, "exe", &executed, 0) == 0 && stat(out, &there) == 0 &&
           executed.st_dev == there.st_dev && executed.st_ino == there.st_ino;
}

static void look_into(struct search *search, int process)
{
    char program[CALLER_PROGRAM_SIZE];
    struct stat facts;

    /* What a process of another user holds was handed on; of one that hides, /proc is root's. */
    if (fstat(process, &facts) != 0 || (facts.st_uid != search->uid && facts.st_uid != 0) ||
        !holds(search, process))
        return;
    if (!read_program(process, program) ||
        (search->found[0] != '\0' && strcmp(search->found, program) != 0))
        search->unclear = true;
    else
        memcpy(search->found, program, strlen(program) + 1);
}

enum error caller_program(uint32_t uid, uint32_t inode, char out[CALLER_PROGRAM_SIZE])
{
    struct search search = {.uid = uid, .found = out};
    DIR *processes = opendir("/proc");
    const struct dirent *entry;

    if (processes == NULL)
        return ERROR_NOT_FOUND;
    out[0] = '\0';
    snprintf(search.wanted, sizeof(search.wanted), "socket:[%u]", inode);
    while (!search.unclear && (entry = readdir(processes)) != NULL) {
        int process =
            entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
                ? openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                : -1;

        if (process < 0)
            continue;
        look_into(&search, process);
        search.unclear = search.unclear || search.looks > CALLER_PROGRAM_LOOKS_MAX;
        close(process);
    }
    closedir(processes);
    return out[0] != '\0' && !search.unclear ? OK : ERROR_NOT_FOUND;
}
