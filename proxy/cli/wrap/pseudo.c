#include "cli/wrap/pseudo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OUTPUT_BYTES 8192

static enum error open_pair(struct pseudo *pseudo)
{
    char name[64];

    pseudo->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pseudo->master < 0 || grantpt(pseudo->master) < 0 || unlockpt(pseudo->master) < 0 ||
        ptsname_r(pseudo->master, name, sizeof(name)) != 0 ||
        fcntl(pseudo->master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return ERROR_IO;
    pseudo->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return pseudo->slave >= 0 ? OK : ERROR_IO;
}

/* Its own way to the same terminal, which whoever shares ours never sees. */
static int open_shown(int fd)
{
    char path[32];
    int own;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void pseudo_none(struct pseudo *pseudo)
{
    *pseudo = (struct pseudo){.master = -1, .slave = -1, .outer = -1, .shown = -1};
}

enum error pseudo_open(struct pseudo *pseudo, int standard[3])
{
    enum error error = OK;

    pseudo_none(pseudo);
    for (int fd = STDERR_FILENO; fd >= STDIN_FILENO; fd--) {
        standard[fd] = fd;
        if (isatty(fd))
            pseudo->outer = fd;
    }
    if (pseudo->outer < 0)
        return OK;
    pseudo->reads = pseudo->outer == STDIN_FILENO;
    pseudo->shown = open_shown(isatty(STDOUT_FILENO) ? STDOUT_FILENO : pseudo->outer);
    error = pseudo->shown >= 0 ? open_pair(pseudo) : ERROR_IO;
    if (error == OK && (tcgetattr(pseudo->outer, &pseudo->was) < 0 ||
                        tcsetattr(pseudo->slave, TCSANOW, &pseudo->was) < 0))
        error = ERROR_IO;
    for (int fd = STDIN_FILENO; error == OK && fd <= STDERR_FILENO; fd++) {
        if (isatty(fd))
            standard[fd] = pseudo->slave;
    }
    if (error == OK)
        pseudo_resize(pseudo);
    return error;
}

void pseudo_close_slave(struct pseudo *pseudo)
{
    if (pseudo->slave >= 0)
        close(pseudo->slave);
    pseudo->slave = -1;
}

void pseudo_close(struct pseudo *pseudo)
{
    pseudo_close_slave(pseudo);
    if (pseudo->raw)
        (void)tcsetattr(pseudo->outer, TCSADRAIN, &pseudo->was);
    pseudo->raw = false;
    pseudo_forget(pseudo);
}

void pseudo_forget(struct pseudo *pseudo)
{
    if (pseudo->master >= 0)
        close(pseudo->master);
    if (pseudo->shown >= 0)
        close(pseudo->shown);
    pseudo->master = pseudo->shown = -1;
}

static void set(struct pseudo *pseudo, bool output)
{
    struct termios raw = pseudo->was;

    cfmakeraw(&raw);
    if (output)
        raw.c_oflag = pseudo->was.c_oflag;
    pseudo->raw = tcsetattr(pseudo->outer, TCSADRAIN, &raw) == 0;
}

/* One that asked from the background would be stopped. */
void pseudo_take(struct pseudo *pseudo)
{
    if (pseudo->reads && tcgetpgrp(pseudo->outer) == getpgrp())
        set(pseudo, false);
}

void pseudo_speak(const struct pseudo *pseudo, bool speaks)
{
    struct pseudo copy = *pseudo;

    if (pseudo->raw)
        set(&copy, speaks);
}

void pseudo_resize(const struct pseudo *pseudo)
{
    struct winsize window;

    if (pseudo->master >= 0 && ioctl(pseudo->outer, TIOCGWINSZ, &window) == 0)
        (void)ioctl(pseudo->master, TIOCSWINSZ, &window);
}

/* How many of these characters are ^C to the service's terminal, which may take it as any other. */
static unsigned count_stops(const struct pseudo *pseudo, const char *bytes, size_t length)
{
    struct termios inner;
    unsigned count = 0;

    if (tcgetattr(pseudo->master, &inner) < 0 || (inner.c_lflag & ISIG) == 0 ||
        inner.c_cc[VINTR] == _POSIX_VDISABLE)
        return 0;
    for (size_t i = 0; i < length; i++)
        count += (unsigned char)bytes[i] == inner.c_cc[VINTR];
    return count;
}

unsigned pseudo_read(struct pseudo *pseudo)
{
    char bytes[PSEUDO_INPUT_BYTES];
    ssize_t length = read(STDIN_FILENO, bytes, sizeof(bytes));
    size_t room = sizeof(pseudo->input) - pseudo->waiting, taken;

    if (length <= 0) {
        pseudo->reads = length < 0 && (errno == EINTR || errno == EAGAIN);
        return 0;
    }
    taken = (size_t)length < room ? (size_t)length : room;
    memcpy(pseudo->input + pseudo->waiting, bytes, taken);
    pseudo->waiting += taken;
    pseudo_flush(pseudo);
    return count_stops(pseudo, bytes, (size_t)length);
}

void pseudo_flush(struct pseudo *pseudo)
{
    ssize_t written = write(pseudo->master, pseudo->input, pseudo->waiting);

    if (written <= 0)
        return;
    pseudo->waiting -= (size_t)written;
    memmove(pseudo->input, pseudo->input + written, pseudo->waiting);
}

bool pseudo_show(const struct pseudo *pseudo, bool (*room)(void *context, int fd), void *context)
{
    char bytes[OUTPUT_BYTES];
    ssize_t length, written;

    if (pseudo->master < 0 || !room(context, pseudo->shown))
        return false;
    length = read(pseudo->master, bytes, sizeof(bytes));
    for (ssize_t done = 0; done<length; done += written> 0 ? written : 0) {
        written = write(pseudo->shown, bytes + done, (size_t)(length - done));
        if (written < 0 && errno != EINTR && (errno != EAGAIN || !room(context, pseudo->shown)))
            break;
    }
    return length > 0;
}
