#include "launch/supervise/starter.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/errand.h"
#include "launch/keeper/spawner.h"
#include "launch/relay/relay.h"
#include "launch/supervise/looking.h"
#include "launch/supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

struct starter {
    struct channel *parent;
    int signals;         /* signalfd(2) */
    bool wanted;         /* there is to be a launcher */
    pid_t launcher;      /* 0: there is none */
    uint64_t next_at_ms; /* monotonic: no other before that */
    bool orphans;        /* children that the last one left */
    struct looking looking;
    bool stopping;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The launcher ---- */

/* In a child: nothing of the starter's but what that is given. */
static void leave(void *context)
{
    struct starter *starter = context;
    sigset_t none;

    channel_destroy(starter->parent);
    close(starter->signals);
    if (starter->looking.pidfd >= 0)
        close(starter->looking.pidfd);
    free(starter);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_launcher(struct starter *starter, pid_t parent,
                                      struct supervisor_options *options)
{
    enum error error = ERROR_IO;

    leave(starter);
    /* It goes with its parent; and what it forks first is made before anything is read. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent)
        error = spawner_start(&options->spawner, relay_run);
    if (error != OK) {
        log_error("the launcher cannot start: %s", error_text(error));
        exit(EX_SOFTWARE);
    }
    log_never_wait();
    exit(supervisor_run(options));
}

/* The ends of its channels: the parent's, and the broker's. */
static enum error fork_launcher(struct starter *starter, int ends[2])
{
    int pairs[2][2] = {{-1, -1}, {-1, -1}};
    pid_t parent = getpid();
    bool made = true;

    for (size_t i = 0; i < 2; i++)
        made = made && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]) == 0;
    starter->launcher = made ? fork() : -1;
    if (starter->launcher == 0) {
        struct supervisor_options options = {.parent = pairs[0][1], .broker = pairs[1][1]};

        close(pairs[0][0]);
        close(pairs[1][0]);
        become_launcher(starter, parent, &options);
    }
    for (size_t i = 0; i < 2; i++) {
        ends[i] = pairs[i][0];
        close(pairs[i][1]);
    }
    if (starter->launcher > 0)
        return OK;
    starter->launcher = 0;
    close(ends[0]);
    close(ends[1]);
    return ERROR_IO;
}

/* `end` is taken over; `pid`: of the process that it is about, 0 if of none. */
static enum error give(const struct starter *starter, enum errand_end whose, pid_t pid, int end)
{
    unsigned char bytes[64];
    struct ipc_writer writer = {.bytes = bytes};

    errand_encode(&writer, &(struct errand){
                               .kind = ERRAND_LAUNCHER, .place = (uint32_t)pid, .number = whose});
    return channel_send(starter->parent, &writer, end);
}

/* It is not waited for yet, so the number is nobody else's. */
static void give_all(struct starter *starter, const int ends[2])
{
    int pidfd = (int)syscall(SYS_pidfd_open, starter->launcher, 0);
    int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    enum error error = pidfd >= 0 ? OK : ERROR_IO;

    if (status >= 0) /* else nobody is told which fences hold */
        error = give(starter, ERRAND_END_STARTER, getpid(), status);
    if (error == OK)
        error = give(starter, ERRAND_END_PROCESS, starter->launcher, pidfd);
    else if (pidfd >= 0)
        close(pidfd);
    if (error == OK)
        error = give(starter, ERRAND_END_PARENT, 0, ends[0]);
    else
        close(ends[0]);
    if (error == OK)
        error = give(starter, ERRAND_END_BROKER, 0, ends[1]);
    else
        close(ends[1]);
    if (error != OK)
        kill(starter->launcher, SIGKILL);
}

/* If there should be one and may be now. Returns after how long to ask again; -1: when something
 * has happened. */
static int start_launcher(struct starter *starter)
{
    uint64_t now = now_ms();
    int ends[2];

    if (!starter->wanted || starter->launcher > 0 || starter->orphans || starter->stopping)
        return -1;
    if (now < starter->next_at_ms)
        return (int)(starter->next_at_ms - now);
    starter->next_at_ms = now + STARTER_PATIENCE_MS;
    if (fork_launcher(starter, ends) != OK) {
        log_error("the launcher cannot be started: %s", strerror(errno));
        return STARTER_PATIENCE_MS;
    }
    give_all(starter, ends);
    return -1;
}

static void end_launcher(struct starter *starter)
{
    if (starter->stopping && starter->launcher > 0)
        kill(starter->launcher, SIGKILL);
    starter->stopping = true; /* the parent has told it itself */
}

static void forget_launcher(struct starter *starter, int status)
{
    starter->launcher = 0;
    if (starter->next_at_ms < now_ms() + STARTER_PAUSE_MS)
        starter->next_at_ms = now_ms() + STARTER_PAUSE_MS;
    if (status != 0 && !starter->stopping) /* 0: the broker has gone, or is about to */
        log_error("the launcher ended (%s %d), and with it its services",
                  WIFSIGNALED(status) ? "signal" : "exit code",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* What a launcher leaves behind becomes a child of this process, until it has ended. */
static void reap(struct starter *starter)
{
    struct signalfd_siginfo ignored;
    int status;
    pid_t pid;

    (void)!read(starter->signals, &ignored, sizeof(ignored));
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == starter->launcher)
            forget_launcher(starter, status);
    }
    starter->orphans = starter->launcher == 0 && pid == 0;
}

/* ---- The looker ---- */

/* As start_launcher(). A parent that cannot be told closes its end, which ends the looker. */
static int start_looker(struct starter *starter)
{
    int end, delay_ms;

    if (starter->stopping)
        return -1;
    delay_ms = looking_start(&starter->looking, now_ms(), leave, starter, &end);
    if (end >= 0)
        (void)!give(starter, ERRAND_END_LOOKER, starter->looking.pid, end);
    return delay_ms;
}

/* ---- The parent ---- */

static enum error take(struct starter *starter, const struct errand *errand)
{
    if (errand->kind == ERRAND_STOP)
        end_launcher(starter);
    else if (errand->kind == ERRAND_BEGIN)
        starter->wanted = true;
    else if (errand->kind == ERRAND_LOOK)
        starter->looking.wanted = true;
    else
        return ERROR_SYNTAX;
    return OK;
}

static enum error hear_one(struct starter *starter, bool *heard)
{
    struct errand errand;
    const void *bytes;
    size_t length;
    int fd;
    enum error error = channel_receive(starter->parent, &bytes, &length, &fd);

    *heard = error == OK && length > 0;
    if (!*heard)
        return error;
    if (fd >= 0) {
        close(fd);
        return ERROR_SYNTAX;
    }
    error = errand_decode(bytes, length, &errand);
    return error == OK ? take(starter, &errand) : error;
}

/* False: it has gone, or is not ours. */
static bool hear(struct starter *starter)
{
    bool heard = true;
    enum error error = channel_flush(starter->parent);

    while (error == OK && heard)
        error = hear_one(starter, &heard);
    return error == OK;
}

/* ---- The whole ---- */

/* The sooner one; -1: neither. */
static int first_of(int one_ms, int other_ms)
{
    return one_ms < 0 || (other_ms >= 0 && other_ms < one_ms) ? other_ms : one_ms;
}

static void serve(struct starter *starter)
{
    bool open = true;

    while (open && !(starter->stopping && starter->launcher == 0)) {
        int delay_ms = first_of(start_launcher(starter), start_looker(starter));
        struct pollfd polled[] = {
            {.fd = starter->signals, .events = POLLIN},
            {.fd = starter->looking.pidfd, .events = POLLIN},
            {.fd = channel_fd(starter->parent),
             .events = channel_wants_write(starter->parent) ? POLLIN | POLLOUT : POLLIN}};

        if (poll(polled, sizeof(polled) / sizeof(polled[0]), delay_ms) < 0)
            continue;
        if (polled[0].revents != 0)
            reap(starter);
        if (polled[1].revents != 0)
            looking_reap(&starter->looking);
        if (polled[2].revents != 0)
            open = hear(starter);
    }
}

int starter_run(int parent)
{
    struct starter *starter = calloc(1, sizeof(*starter));
    sigset_t children;

    if (starter == NULL || channel_create(parent, &starter->parent) != OK)
        return EX_OSERR;
    looking_init(&starter->looking);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    starter->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (starter->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return EX_OSERR;
    serve(starter);
    if (starter->launcher > 0) {
        kill(starter->launcher, SIGKILL);
        (void)waitpid(starter->launcher, NULL, 0);
    }
    looking_end(&starter->looking);
    channel_destroy(starter->parent);
    close(starter->signals);
    free(starter);
    return EX_OK;
}
