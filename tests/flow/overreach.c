/*
 * Sidelock with a broker that tries what it may not do, as soon as its fence has closed: the linker
 * puts __wrap_fence_calls() in the real one's place. It says what it could do; what it asks of its
 * parent is the last part of the program's file name, if that is known here:
 * sidelock-overreach-listen. For flow.parent.
 */
#include "ipc/errand.h"
#include "parent/parent.h"
#include "system/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum error __real_fence_calls(void);
enum error __wrap_fence_calls(void);

static bool can_write(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static bool can_execute(void)
{
    char program[] = "/bin/true";
    char *arguments[] = {program, NULL}, *environment[] = {NULL};

    return execve(program, arguments, environment) == 0;
}

/* Its own program's mode, which is none of the files that it may write. */
static bool can_change_mode(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && fchmod(fd, 0755) == 0;
}

/* Has the kernel do it: whatever comes on a pipe becomes a signal to its parent, if it minds. */
static bool can_signal(void)
{
    int ends[2];

    return pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[0], F_SETSIG, SIGURG) == 0 &&
           fcntl(ends[0], F_SETOWN, getppid()) == 0;
}

/* A listener that is shut can be used to dial: no socket(2) is needed. */
static bool can_dial_with_listener(void)
{
    for (int fd = PARENT_CONFIG_FD; fd < 64; fd++) {
        struct sockaddr_in address = {.sin_family = AF_UNSPEC};
        socklen_t length = sizeof(address);
        int listens = 0;
        socklen_t size = sizeof(listens);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || listens == 0 ||
            getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
            address.sin_family != AF_INET)
            continue;
        shutdown(fd, SHUT_RD);
        return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
               (errno != EACCES && errno != EPERM);
    }
    return true; /* there is none: nothing was shown */
}

static void say(const char *what, bool could)
{
    char line[64];
    int length =
        snprintf(line, sizeof(line), "overreach: %s: %s\n", what, could ? "done" : "refused");

    (void)!write(STDERR_FILENO, line, (size_t)length);
}

static bool can_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static const struct {
    const char *name;
    int fd;
    struct errand errand;
} requests[] = {
    {"listen", PARENT_FILES_FD, {.kind = ERRAND_LISTEN, .text = "127.0.0.1:80"}},
    {"spawn", PARENT_WORKERS_FD, {.kind = ERRAND_SPAWN, .text = "--help"}},
    {"strange", PARENT_WORKERS_FD, {.kind = ERRAND_STOP}},
};

static void ask(const char *wanted)
{
    unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
    struct ipc_writer writer = {.bytes = bytes};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (strcmp(requests[i].name, wanted) != 0)
            continue;
        errand_encode(&writer, &requests[i].errand);
        (void)!send(requests[i].fd, bytes, writer.length, MSG_NOSIGNAL);
    }
    if (strcmp(wanted, "garbage") == 0)
        (void)!send(PARENT_FILES_FD, "\377garbage", 8, MSG_NOSIGNAL);
}

enum error __wrap_fence_calls(void)
{
    char path[4096], beside[4200];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    enum error error = __real_fence_calls();
    const char *wanted;

    path[length > 0 ? length : 0] = '\0';
    wanted = strrchr(path, '-');
    snprintf(beside, sizeof(beside), "%s.written", path);
    say("write", can_write(beside));
    say("execute", can_execute());
    say("fork", can_fork());
    say("dial", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    say("mode", can_change_mode(path));
    say("signal", can_signal());
    say("redial", can_dial_with_listener());
    if (wanted != NULL)
        ask(wanted + 1);
    return error;
}
