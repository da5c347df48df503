#include "system/proof.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* A regular file that is always ours, and that nothing happens to. */
#define OWN_FILE          "/proc/thread-self/comm"
#define OWN_STATUS        "/proc/self/status"
#define SHELL             "/bin/sh"
#define STATUS_BYTES_MAX  4096
#define TRIAL_CONNECTIONS 2 /* to the abstract name */

/* ---- What is tried: true if it can be done, else errno says why not ---- */

static bool can_open(int flags)
{
    int fd = open(OWN_FILE, flags | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_read(const struct proof_trial *trial)
{
    (void)trial;
    return can_open(O_RDONLY);
}

static bool can_write(const struct proof_trial *trial)
{
    (void)trial;
    return can_open(O_WRONLY);
}

static bool can_truncate(const struct proof_trial *trial)
{
    (void)trial;
    return truncate(OWN_FILE, 0) == 0;
}

static bool can_execute(const struct proof_trial *trial)
{
    char name[] = "sh", option[] = "-c", nothing[] = ":";
    char *arguments[] = {name, option, nothing, NULL}, *environment[] = {NULL};
    pid_t pid;

    (void)trial;
    errno = posix_spawn(&pid, SHELL, NULL, NULL, arguments, environment);
    return errno == 0 && waitpid(pid, NULL, 0) == pid;
}

/* Port 0 is any for bind(2), and nobody's for connect(2), so that nothing is bothered. */
static bool can_tcp(int (*call)(int, const struct sockaddr *, socklen_t))
{
    const struct sockaddr_in nobody = {.sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool can;

    if (fd < 0)
        return false;
    can = call(fd, (const struct sockaddr *)&nobody, sizeof(nobody)) == 0 ||
          (errno != EACCES && errno != EPERM);
    close(fd);
    return can;
}

static bool can_tcp_bind(const struct proof_trial *trial)
{
    (void)trial;
    return can_tcp(bind);
}

static bool can_tcp_connect(const struct proof_trial *trial)
{
    (void)trial;
    return can_tcp(connect);
}

static bool can_reach_abstract(const struct proof_trial *trial)
{
    struct sockaddr_un name;
    socklen_t size = sizeof(name);
    int fd;
    bool can;

    if (trial->abstract < 0 || getsockname(trial->abstract, (struct sockaddr *)&name, &size) < 0)
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    can = connect(fd, (const struct sockaddr *)&name, size) == 0;
    close(fd);
    return can;
}

static bool can_signal(const struct proof_trial *trial)
{
    pid_t parent = getppid();

    (void)trial;
    errno = ESRCH; /* one of another namespace has no number here */
    return parent > 0 && kill(parent, 0) == 0;
}

static bool (*const trials[FENCE_COUNT])(const struct proof_trial *) = {
    [FENCE_READ] = can_read,
    [FENCE_WRITE] = can_write,
    [FENCE_TRUNCATE] = can_truncate,
    [FENCE_EXECUTE] = can_execute,
    [FENCE_TCP_BIND] = can_tcp_bind,
    [FENCE_TCP_CONNECT] = can_tcp_connect,
    [FENCE_ABSTRACT] = can_reach_abstract,
    [FENCE_SIGNALS] = can_signal,
};

/*
 * Whether it says something when it is refused after. What is refused with EACCES before, is so by
 * fences that this process was started with; EPERM may be for whose the other process is. That a
 * shell is executed, is not tried before: it is enough that there is one.
 */
static bool says_something(const struct proof_trial *trial, unsigned kind)
{
    errno = 0;
    if (kind == FENCE_EXECUTE)
        return access(SHELL, X_OK) == 0;
    return trials[kind](trial) || errno == EACCES;
}

/* ---- Before and after ---- */

static int make_abstract(void)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX}; /* the kernel names it */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) < 0 ||
                    listen(fd, TRIAL_CONNECTIONS) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

void proof_begin(struct proof_trial *trial, uint32_t fences)
{
    *trial = (struct proof_trial){.abstract = -1};
    if ((fences & FENCE(ABSTRACT)) != 0)
        trial->abstract = make_abstract();
    trial->proof.status = open(OWN_STATUS, O_RDONLY | O_CLOEXEC);
    trial->proof.landlock = landlock_version();
    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        uint32_t bit = UINT32_C(1) << kind;

        if ((fences & bit) != 0 && trials[kind] != NULL && says_something(trial, kind))
            trial->proof.tried |= bit;
    }
}

static bool is_undumpable(void)
{
    struct rlimit core;

    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 &&
           core.rlim_max == 0;
}

/* Whoever has private names finds nobody where there was somebody before. */
static bool is_refused(unsigned kind)
{
    return errno == EACCES || errno == EPERM || (kind == FENCE_ABSTRACT && errno == ECONNREFUSED);
}

void proof_try(struct proof_trial *trial, uint32_t fences)
{
    struct proof *proof = &trial->proof;

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        uint32_t bit = UINT32_C(1) << kind;

        errno = 0;
        if ((proof->tried & fences & bit) != 0 && trials[kind] != NULL && !trials[kind](trial) &&
            is_refused(kind))
            proof->refused |= bit;
    }
}

void proof_end(struct proof_trial *trial, struct proof *out)
{
    if (trial->abstract >= 0)
        close(trial->abstract);
    trial->abstract = -1;
    *out = trial->proof;
}

enum error proof_hold(uint32_t fences, const struct landlock_place *places, size_t count,
                      struct proof *out)
{
    struct proof_trial trial;
    enum error error;

    proof_begin(&trial, fences);
    error = landlock_hold(fences, places, count);
    proof_try(&trial, fences);
    proof_end(&trial, out);
    if (error != OK)
        return error;
    out->tried |= FENCE(DUMPS);
    if (is_undumpable())
        out->refused |= FENCE(DUMPS);
    return OK;
}

void proof_log_lacking(const struct proof *proof, uint32_t fences, const char *whose)
{
    char sentence[FENCE_SENTENCE_SIZE];

    if (fence_kinds_tell_lacking(fences, proof->landlock, whose, sentence))
        log_warning("%s", sentence);
}

/* ---- What is in force now ---- */

bool proof_is_status(int fd)
{
    struct statfs system;

    return fstatfs(fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

/* "NoNewPrivs:\t1" */
static bool find(const char *text, const char *name, int base, unsigned long long *out)
{
    const char *line = strstr(text, name);
    char *end;

    if (line == NULL)
        return false;
    *out = strtoull(line + strlen(name), &end, base);
    return *end == '\n' || strncmp(end, " kB\n", 4) == 0;
}

/* What the kernel says of it; nothing of it is believed where it is of another process. */
static void read_status(int fd, pid_t pid, struct proof_found *out)
{
    static const struct {
        const char *name;
        int base;
        unsigned long long wanted;
        uint32_t fence;
    } lines[] = {
        {"\nNoNewPrivs:\t", 10, 1, FENCE(PRIVILEGES)},
        {"\nSeccomp:\t", 10, 2, FENCE(CALLS)},
        {"\nCapPrm:\t", 16, 0, FENCE(CAPABILITIES)}, /* what is effective is among these */
    };
    char text[STATUS_BYTES_MAX];
    ssize_t length = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
    unsigned long long number;

    text[length > 0 ? length : 0] = '\0';
    if (!find(text, "\nPid:\t", 10, &number) || (pid_t)number != pid)
        return;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!find(text, lines[i].name, lines[i].base, &number))
            continue;
        if (number == lines[i].wanted)
            out->held |= lines[i].fence;
        else
            out->missing |= lines[i].fence;
    }
    if (find(text, "\nSeccomp_filters:\t", 10, &number))
        out->filters = (unsigned)number;
    if (find(text, "\nVmRSS:\t", 10, &number))
        out->resident_bytes = number * 1024;
}

void proof_judge(const struct proof *proof, pid_t pid, uint32_t promised, struct proof_found *out)
{
    const uint32_t shown = FENCE(PRIVILEGES) | FENCE(CALLS) | FENCE(CAPABILITIES);
    const uint32_t tried = proof->tried & FENCES_ALL & ~shown;

    *out = (struct proof_found){.held = tried & proof->refused, .missing = tried & ~proof->refused};
    read_status(proof->status, pid, out);
    out->missing =
        (out->missing | (fence_kinds_lacking(promised, proof->landlock) & ~out->held)) & promised;
    out->unknown = promised & ~out->held & ~out->missing;
}
