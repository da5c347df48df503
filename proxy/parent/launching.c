#include "parent/launching.h"

#include "base/log.h"
#include "launch/supervise/starter.h"
#include "parent/anew.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum error launching_start(struct launching *launching)
{
    int pair[2], pidfd = -1;
    struct anew anew = {.verb = STARTER_VERB, .count = 1, .errors = STDERR_FILENO};
    enum error error;

    launching->pidfd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    anew.descriptors = &pair[1];
    error = channel_create(pair[0], &launching->channel);
    if (error == OK)
        error = anew_start(&anew, &launching->pid, &pidfd);
    else
        close(pair[0]);
    close(pair[1]);
    if (pidfd >= 0)
        close(pidfd);
    return error;
}

/* One that has ended, or does not hear, is not heard any more. */
static void lose(struct launching *launching)
{
    channel_destroy(launching->channel);
    launching->channel = NULL;
    if (launching->looks && launching->stops == 0)
        log_error(
            "what starts the looker has ended: programs that call stay unknown until Sidelock "
            "is started again");
    if (launching->wanted && launching->stops == 0)
        log_error("what starts the launcher has ended: surfaces with a command are not served "
                  "until Sidelock is started again");
}

static enum error say(struct channel *channel, const struct errand *errand, int fd)
{
    unsigned char bytes[64];
    struct ipc_writer writer = {.bytes = bytes};

    errand_encode(&writer, errand);
    return channel_send(channel, &writer, fd);
}

static void forget_launcher(struct launching *launching)
{
    if (launching->pidfd >= 0)
        close(launching->pidfd);
    launching->pidfd = -1;
    channel_destroy(launching->launcher);
    launching->launcher = NULL;
}

/* One that cannot be told is let go of, which ends it: another one follows. */
static void tell_config(struct launching *launching)
{
    const struct errand errand = {.kind = ERRAND_CONFIG, .number = launching->at_terminal};
    int copy = fcntl(launching->bundle->sealed, F_DUPFD_CLOEXEC, 0);

    if (copy < 0 || say(launching->launcher, &errand, copy) != OK)
        forget_launcher(launching);
}

static bool needs_launcher(const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (surface_needs_launcher(&config->surfaces[i]))
            return true;
    }
    return false;
}

/* Once, and for good. */
static void begin(struct launching *launching, bool *begun, bool wanted, enum errand_kind word)
{
    if (*begun || !wanted || launching->channel == NULL)
        return;
    *begun = true;
    if (say(launching->channel, &(struct errand){.kind = word}, -1) != OK)
        lose(launching);
}

void launching_follow(struct launching *launching, const struct config_bundle *bundle)
{
    launching->bundle = bundle;
    if (launching->launcher != NULL)
        tell_config(launching);
    begin(launching, &launching->wanted, needs_launcher(bundle->config), ERRAND_BEGIN);
    begin(launching, &launching->looks, config_names_programs(bundle->config), ERRAND_LOOK);
}

/* The parent's own end comes before the broker's, so that it has the configuration before the
 * broker speaks. */
static enum error take(struct launching *launching, const struct errand *errand, int *fd)
{
    if (errand->kind != ERRAND_LAUNCHER || *fd < 0 || errand->number >= ERRAND_END_COUNT)
        return ERROR_SYNTAX;
    if (errand->number == ERRAND_END_BROKER || errand->number == ERRAND_END_STARTER ||
        errand->number == ERRAND_END_LOOKER)
        return OK;
    if (errand->number == ERRAND_END_PROCESS) {
        forget_launcher(launching);
        launching->pidfd = *fd;
        *fd = fcntl(launching->pidfd, F_DUPFD_CLOEXEC, 0); /* the broker's */
        return *fd >= 0 ? OK : ERROR_IO;
    }
    channel_destroy(launching->launcher);
    launching->launcher = NULL;
    if (channel_create(*fd, &launching->launcher) != OK)
        return ERROR_MEMORY;
    *fd = -1;
    tell_config(launching);
    return OK;
}

bool launching_hear(struct launching *launching, struct errand *what, int *fd)
{
    const void *bytes;
    size_t length = 0;
    enum error error = channel_flush(launching->channel);

    *fd = -1;
    if (error == OK)
        error = channel_receive(launching->channel, &bytes, &length, fd);
    if (error == OK && length == 0)
        return false;
    if (error == OK)
        error = errand_decode(bytes, length, what);
    if (error == OK)
        error = take(launching, what, fd);
    if (error == OK)
        return true;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    lose(launching);
    return false;
}

bool launching_reap(struct launching *launching, pid_t pid)
{
    if (pid != launching->pid)
        return false;
    launching->pid = 0;
    if (launching->channel != NULL)
        lose(launching);
    return true;
}

void launching_kill(struct launching *launching)
{
    if (launching->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, launching->pidfd, SIGKILL, NULL, 0);
}

static void stop(struct launching *launching)
{
    const struct errand word = {.kind = ERRAND_STOP};

    launching->stops++;
    if (launching->launcher != NULL && say(launching->launcher, &word, -1) != OK)
        forget_launcher(launching);
    if (launching->channel == NULL || say(launching->channel, &word, -1) != OK) {
        if (launching->pid > 0)
            kill(launching->pid, SIGKILL);
    }
}

/*
 * Another launcher may have begun before it was known here that the broker has ended, and was told
 * to stop by nobody: it ends with what would have been the broker's end of its channel.
 */
static void refuse_launcher(struct launching *launching)
{
    struct errand told;
    int fd;

    while (launching->channel != NULL && launching_hear(launching, &told, &fd)) {
        if (fd >= 0)
            close(fd);
    }
}

static bool asks_again(int signals)
{
    struct signalfd_siginfo info;

    return read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGCHLD &&
           info.ssi_signo != SIGHUP;
}

void launching_finish(struct launching *launching, int signals, bool hurry)
{
    stop(launching);
    if (hurry)
        stop(launching);
    while (launching->pid > 0) {
        struct pollfd polled[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = launching->channel != NULL ? channel_fd(launching->channel) : -1,
             .events = POLLIN}};

        if (waitpid(launching->pid, NULL, WNOHANG) == launching->pid) {
            launching->pid = 0;
        } else if (poll(polled, 2, -1) > 0) {
            if (polled[0].revents != 0 && asks_again(signals))
                stop(launching);
            if (polled[1].revents != 0)
                refuse_launcher(launching);
        }
    }
}

void launching_end(struct launching *launching)
{
    if (launching->pid == 0 && launching->channel == NULL && launching->launcher == NULL)
        return; /* it never began, or nothing is left */
    if (launching->pid > 0) {
        kill(launching->pid, SIGKILL);
        (void)waitpid(launching->pid, NULL, 0);
    }
    launching->pid = 0;
    forget_launcher(launching);
    channel_destroy(launching->channel);
    launching->channel = NULL;
}
