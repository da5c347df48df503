/*
 * Sidelock with a worker that tries to break out as soon as its sandbox has
 * closed: the linker puts __wrap_sandbox_enter() in the real one's place. What
 * it tries is the last part of the program's file name: sidelock-escape-execve.
 * With -nothing it is an ordinary Sidelock.
 */
#include "system/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum error __real_sandbox_enter(size_t max_descriptors);
enum error __wrap_sandbox_enter(size_t max_descriptors);

static void try_execve(void)
{
    char program[] = "/bin/true";
    char *arguments[] = {program, NULL}, *environment[] = {NULL};

    execve(program, arguments, environment);
}

static void try_open(void)
{
    (void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void try_socket(void)
{
    (void)!socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* A pair of datagram sockets: each can be told to send to anybody. */
static void try_socketpair(void)
{
    int pair[2];

    (void)!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

/* On a descriptor it may well hold: any will do, the call itself is forbidden. */
static void try_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

    (void)!connect(STDERR_FILENO, (struct sockaddr *)&address, sizeof(address));
}

static void try_ptrace(void)
{
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void try_fork(void)
{
    if (fork() == 0)
        _exit(0);
}

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Moves the cursor, rings, and ends a line for some terminals; then more than a pipe holds. */
static void try_chatter(void)
{
    say("\033]0;owned\007\302\233K\xff\rback\n");
    for (unsigned i = 0; i < 200; i++)
        say("0123456789");
    say("\n");
    for (unsigned i = 0; i < 200000; i++)
        say("chatter\n");
}

/* With no end of a line. */
static void try_farewell(void)
{
    say("first\n\nlast words");
    _exit(3);
}

/* For builds with a sanitizer, whose report must reach whoever runs the tests. */
static void try_fault(void)
{
    volatile size_t beyond = 8;
    char *room = malloc(8);

    if (room != NULL)
        room[beyond] = 1;
    free(room);
}

static void try_nothing(void)
{
}

static const struct {
    const char *name;
    void (*run)(void);
} attempts[] = {
    {"execve", try_execve},   {"open", try_open},
    {"socket", try_socket},   {"connect", try_connect},
    {"ptrace", try_ptrace},   {"fork", try_fork},
    {"nothing", try_nothing}, {"socketpair", try_socketpair},
    {"chatter", try_chatter}, {"farewell", try_farewell},
    {"fault", try_fault},
};

enum error __wrap_sandbox_enter(size_t max_descriptors)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    enum error error = __real_sandbox_enter(max_descriptors);
    const char *wanted;

    path[length > 0 ? length : 0] = '\0';
    wanted = strrchr(path, '-');
    for (size_t i = 0; wanted != NULL && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(wanted + 1, attempts[i].name) == 0) {
            attempts[i].run();
            return error;
        }
    }
    return ERROR_INVALID;
}
