#include "system/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_BYTES 4096

void lockdown_path(const char *state_dir, char out[LOCKDOWN_PATH_SIZE])
{
    snprintf(out, LOCKDOWN_PATH_SIZE, "%s/" LOCKDOWN_NAME, state_dir);
}

bool lockdown_stands(const char *state_dir)
{
    char path[LOCKDOWN_PATH_SIZE];
    struct stat facts;

    lockdown_path(state_dir, path);
    return lstat(path, &facts) == 0 || errno != ENOENT;
}

enum error lockdown_open(const char *state_dir, struct lockdown *out)
{
    *out = (struct lockdown){.state_dir = strdup(state_dir), .watch = -1};
    if (out->state_dir == NULL)
        return ERROR_MEMORY;
    out->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (out->watch >= 0 &&
        inotify_add_watch(out->watch, state_dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        close(out->watch);
        out->watch = -1;
    }
    out->stood = lockdown_stands(state_dir); /* only now: none comes unseen */
    return OK;
}

void lockdown_close(struct lockdown *lockdown)
{
    if (lockdown->watch >= 0)
        close(lockdown->watch);
    free(lockdown->state_dir);
    *lockdown = (struct lockdown){.watch = -1};
}

int lockdown_timeout_ms(const struct lockdown *lockdown)
{
    return lockdown->watch >= 0 ? -1 : LOCKDOWN_LOOK_MS;
}

/* Whether one of its name was among what came into the directory, or may have been. */
static bool came_in(const char *bytes, size_t length)
{
    const struct inotify_event *event;
    bool came = false;

    for (size_t at = 0; at + sizeof(*event) <= length; at += sizeof(*event) + event->len) {
        event = (const struct inotify_event *)(bytes + at);
        came = came || (event->mask & IN_Q_OVERFLOW) != 0 ||
               (event->len > 0 && strcmp(event->name, LOCKDOWN_NAME) == 0);
    }
    return came;
}

static bool take_events(const struct lockdown *lockdown)
{
    _Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
    bool came = false;
    ssize_t length;

    while (lockdown->watch >= 0 && (length = read(lockdown->watch, bytes, sizeof(bytes))) > 0)
        came = came_in(bytes, (size_t)length) || came;
    return came;
}

bool lockdown_is_new(struct lockdown *lockdown)
{
    bool came = take_events(lockdown), stood = lockdown->stood;

    lockdown->stood = lockdown_stands(lockdown->state_dir);
    return lockdown->stood && (came || !stood);
}

/* One that stands already is as good. */
enum error lockdown_order(struct lockdown *lockdown)
{
    char path[LOCKDOWN_PATH_SIZE];
    int fd, directory;

    lockdown_path(lockdown->state_dir, path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno == EEXIST ? OK : ERROR_IO;
    close(fd);
    directory = open(lockdown->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        (void)fsync(directory); /* it is to be there after a loss of power, too */
        close(directory);
    }
    return OK;
}
