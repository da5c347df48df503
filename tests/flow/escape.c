/*
 * Sidelock with a worker that tries to break out as soon as its sandbox has
 * closed: the linker puts __wrap_sandbox_enter() in the real one's place. What
 * it tries is the last part of the program's file name: sidelock-escape-execve.
 * With -nothing it is an ordinary Sidelock. With -behind it tries what Landlock refuses as long as
 * nothing else does, before system calls are filtered, and says what it could do.
 */
#include "parent/spawning.h"
#include "system/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
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

/* ---- Behind the filter of system calls ---- */

/* Whose process this is, whatever it is told of who runs it: what the parent has made. */
static socklen_t name_abstract(pid_t pid, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)snprintf(out->sun_path + 1, sizeof(out->sun_path) - 1,
                                        "sidelock-escape-%d", (int)pid));
}

/* In `serve`, before anything is fenced: somebody else's abstract socket. */
__attribute__((constructor)) static void make_abstract(int argc, char **argv)
{
    struct sockaddr_un name;
    socklen_t length = name_abstract(getpid(), &name);
    int fd;

    if (argc < 2 || strcmp(argv[1], "serve") != 0)
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&name, length) < 0 || listen(fd, 8) < 0)
        _exit(1);
}

static bool behind_read(const char *beside)
{
    (void)beside;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool behind_list(const char *beside)
{
    (void)beside;
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
}

static bool behind_write(const char *beside)
{
    return open(beside, O_WRONLY | O_CLOEXEC) >= 0;
}

static bool behind_make(const char *beside)
{
    char path[5000];

    snprintf(path, sizeof(path), "%s.made", beside);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static bool behind_link(const char *beside)
{
    char path[5000];

    snprintf(path, sizeof(path), "%s.linked", beside);
    return link(beside, path) == 0 || symlink(beside, path) == 0;
}

static bool behind_remove(const char *beside)
{
    char path[5000];

    snprintf(path, sizeof(path), "%s.removed", beside);
    return unlink(path) == 0;
}

static bool behind_truncate(const char *beside)
{
    return truncate(beside, 0) == 0;
}

static bool behind_execute(const char *beside)
{
    char program[] = "/bin/true";
    char *arguments[] = {program, NULL}, *environment[] = {NULL};
    pid_t pid;

    (void)beside;
    return posix_spawn(&pid, program, NULL, NULL, arguments, environment) == 0 &&
           waitpid(pid, NULL, 0) == pid;
}

static bool behind_bind(const char *beside)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};

    (void)beside;
    return bind(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&any, sizeof(any)) == 0;
}

/* To the gate itself. */
static bool behind_dial(const char *beside)
{
    struct sockaddr_storage gate = {0};
    socklen_t length = sizeof(gate);

    (void)beside;
    return getsockname(SPAWN_LISTENER_FD, (struct sockaddr *)&gate, &length) == 0 &&
           connect(socket(gate.ss_family, SOCK_STREAM, 0), (struct sockaddr *)&gate, length) == 0;
}

static bool behind_abstract(const char *beside)
{
    struct sockaddr_un name;
    socklen_t length = name_abstract(getppid(), &name);

    (void)beside;
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, length) == 0;
}

static bool behind_signal(const char *beside)
{
    (void)beside;
    return kill(getppid(), 0) == 0;
}

static void try_behind(const char *program)
{
    static const struct {
        const char *name;
        bool (*can)(const char *beside);
    } attempts[] = {
        {"read", behind_read},         {"list", behind_list},         {"write", behind_write},
        {"make", behind_make},         {"link", behind_link},         {"remove", behind_remove},
        {"truncate", behind_truncate}, {"execute", behind_execute},   {"bind", behind_bind},
        {"dial", behind_dial},         {"abstract", behind_abstract}, {"signal", behind_signal},
    };
    char beside[4200], line[64];

    snprintf(beside, sizeof(beside), "%s.beside", program);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        bool could = attempts[i].can(beside);

        snprintf(line, sizeof(line), "behind: %s: %s\n", attempts[i].name,
                 could ? "done" : strerrorname_np(errno));
        say(line);
    }
}

/* ---- The whole ---- */

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
    {"fault", try_fault},     {"behind", try_nothing},
};

enum error __wrap_sandbox_enter(size_t max_descriptors)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char *wanted;
    enum error error;

    path[length > 0 ? length : 0] = '\0';
    wanted = strrchr(path, '-');
    if (wanted != NULL && strcmp(wanted, "-behind") == 0)
        try_behind(path);
    error = __real_sandbox_enter(max_descriptors);
    for (size_t i = 0; wanted != NULL && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (strcmp(wanted + 1, attempts[i].name) == 0) {
            attempts[i].run();
            return error;
        }
    }
    return ERROR_INVALID;
}
