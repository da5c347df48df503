#include "launch/calls/epolls.h"

#include "launch/calls/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_BYTES 256
#define EPOLL_LINK "anon_inode:[eventpoll]"

/* The number behind a name, which *at moves past. */
static int take_number(const char **at, const char *name, int base, uint64_t *out)
{
    char *end;

    *at += strspn(*at, " \t");
    if (strncmp(*at, name, strlen(name)) != 0)
        return 0;
    *at += strlen(name);
    *out = strtoull(*at, &end, base);
    if (end == *at)
        return 0;
    *at = end;
    return 1;
}

/* "tfd:        3 events:       19 data:                3  pos:0 ino:…", the two in hexadecimal */
int epolls_read_line(const char *line, int descriptor, struct epoll_entry *out)
{
    uint64_t number, events, data;

    if (!take_number(&line, "tfd:", 10, &number) || number != (uint64_t)descriptor ||
        !take_number(&line, "events:", 16, &events) || !take_number(&line, "data:", 16, &data))
        return 0;
    out->events = (uint32_t)events;
    out->data = data;
    return 1;
}

static void read_set(pid_t thread, int set, int descriptor, struct epolls *out)
{
    char path[64], line[LINE_BYTES];
    struct epoll_entry entry;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", thread, set);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (out->count < EPOLLS_MAX && fgets(line, sizeof(line), file) != NULL) {
        if (!epolls_read_line(line, descriptor, &entry))
            continue;
        entry.set = target_descriptor(thread, set);
        if (entry.set >= 0)
            out->entries[out->count++] = entry;
    }
    fclose(file);
}

void epolls_find(pid_t thread, int descriptor, struct epolls *out)
{
    char path[64], link[sizeof(EPOLL_LINK)];
    struct dirent *entry;
    DIR *directory;

    out->count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", thread);
    directory = opendir(path);
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link));

        if (length == (ssize_t)strlen(EPOLL_LINK) && memcmp(link, EPOLL_LINK, (size_t)length) == 0)
            read_set(thread, (int)strtol(entry->d_name, NULL, 10), descriptor, out);
    }
    closedir(directory);
}

/* A set knows a file by its number as well, so the twin must have it: in a table of its own. */
static _Noreturn void put(struct epolls *epolls, int twin, int descriptor)
{
    for (size_t i = 0; i < epolls->count; i++)
        epolls->entries[i].set = fcntl(epolls->entries[i].set, F_DUPFD, descriptor + 1);
    if (dup2(twin, descriptor) < 0)
        _exit(EXIT_FAILURE);
    for (size_t i = 0; i < epolls->count; i++) {
        struct epoll_event event = {.events = epolls->entries[i].events,
                                    .data.u64 = epolls->entries[i].data};

        (void)epoll_ctl(epolls->entries[i].set, EPOLL_CTL_ADD, descriptor, &event);
    }
    _exit(EXIT_SUCCESS);
}

void epolls_follow(struct epolls *epolls, int twin, int descriptor)
{
    pid_t child = epolls->count > 0 ? fork() : -1;

    if (child == 0)
        put(epolls, twin, descriptor);
    if (child > 0)
        waitpid(child, NULL, 0);
    for (size_t i = 0; i < epolls->count; i++)
        close(epolls->entries[i].set);
    epolls->count = 0;
}
