#include "parent/parent.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "parent/anew.h"
#include "parent/holding.h"
#include "parent/launching.h"
#include "parent/opening.h"
#include "parent/spawning.h"
#include "parent/telemetry.h"
#include "system/lockdown.h"
#include "system/notify.h"
#include "system/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct parent {
    struct opening *opening;
    struct spawning spawning;
    struct launching launching;
    struct alone alone;
    struct telemetry telemetry;
    struct channel *files, *workers;
    bool hears_files, hears_workers; /* something may still be said there */
    struct lockdown lockdown;
    struct proof proof; /* of its own fences */
    int ready_fd;       /* -1: nobody waits for readiness any more */
    int signals;        /* signalfd(2) */
    pid_t broker;
    bool ended;
    unsigned stops; /* how often it was asked to end */
    int status;     /* of the broker that has ended */
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

/* ---- What the broker says ---- */

/* One that has closed is about to end: what is said to it no longer matters. `fd` is taken over. */
static void say(struct parent *parent, struct channel *channel, const struct errand *errand, int fd)
{
    struct ipc_writer writer = {.bytes = parent->buffer};

    errand_encode(&writer, errand);
    if (channel_send(channel, &writer, fd) == ERROR_LIMIT)
        kill(parent->broker, SIGKILL); /* it hears nothing */
}

static enum error take_file(struct parent *parent, const struct errand *errand, int fd)
{
    struct opening_answer answer;
    enum error error = fd < 0 ? opening_take(parent->opening, errand, &answer) : ERROR_SYNTAX;
    size_t next = 0;

    if (fd >= 0)
        close(fd);
    if (error != OK)
        return error;
    /* The launcher has it before the broker speaks of it. */
    if (errand->kind == ERRAND_KEEP)
        launching_follow(&parent->launching, opening_in_force(parent->opening));
    do {
        struct errand part = {.kind = ERRAND_ANSWER,
                              .number = answer.error,
                              .place =
                                  answer.count > next ? (uint32_t)(answer.count - next - 1) : 0,
                              .text = answer.why};

        say(parent, parent->files, &part, next < answer.count ? answer.descriptors[next] : -1);
    } while (++next < answer.count);
    return OK;
}

static enum error spawn(struct parent *parent, const struct errand *errand)
{
    struct errand answer;
    int pidfd;
    enum error error = spawning_start(&parent->spawning, errand, &answer, &pidfd);

    if (error == OK)
        say(parent, parent->workers, &answer, pidfd);
    return error;
}

static void drop_ready(struct parent *parent)
{
    if (parent->ready_fd >= 0)
        close(parent->ready_fd);
    parent->ready_fd = -1;
}

static enum error take_word(struct parent *parent, const struct errand *errand, int fd)
{
    if (errand->kind == ERRAND_GIVE)
        return spawning_give(&parent->spawning, errand, fd);
    if (fd >= 0) {
        close(fd);
        return ERROR_SYNTAX;
    }
    if (errand->kind == ERRAND_SPAWN)
        return spawn(parent, errand);
    if (errand->kind != ERRAND_READY)
        return ERROR_SYNTAX;
    notify_ready();
    drop_ready(parent);
    return OK;
}

/* One message, if there is any. */
static enum error hear_one(struct parent *parent, struct channel *channel, bool *heard)
{
    struct errand errand;
    const void *bytes;
    size_t length;
    int fd;
    enum error error = channel_receive(channel, &bytes, &length, &fd);

    *heard = error == OK && length > 0;
    if (!*heard)
        return error;
    error = errand_decode(bytes, length, &errand);
    if (error != OK && fd >= 0)
        close(fd);
    if (error == OK)
        error = channel == parent->files ? take_file(parent, &errand, fd)
                                         : take_word(parent, &errand, fd);
    return error;
}

/* False: nothing more is to be heard there. */
static bool hear(struct parent *parent, struct channel *channel)
{
    bool heard;
    enum error error = channel_flush(channel);

    do
        error = error == OK ? hear_one(parent, channel, &heard) : error;
    while (error == OK && heard);
    if (error != OK && error != ERROR_IO) {
        log_error("the broker asks for what no broker of ours asks for; ending it");
        kill(parent->broker, SIGKILL);
    }
    return error == OK;
}

/* ---- The broker ---- */

/* Its ends of the channels, and what else it is born with. `cause`: as for begin(). */
static enum error start_broker(struct parent *parent, int files, int workers, const char *cause)
{
    const int descriptors[] = {files, workers, opening_sealed(parent->opening), parent->ready_fd};
    const bool tell = parent->ready_fd >= 0;
    const struct anew anew = {.verb = PARENT_BROKER_VERB,
                              .arguments = {tell ? PARENT_BROKER_TELL : cause, tell ? cause : NULL},
                              .descriptors = descriptors,
                              .count = tell ? 4 : 3,
                              .errors = STDERR_FILENO};
    int pidfd = -1;
    enum error error = anew_start(&anew, &parent->broker, &pidfd);

    if (pidfd >= 0)
        close(pidfd);
    return error;
}

/* What was found out of this process's own fences. */
static void tell_proof(struct parent *parent)
{
    const struct proof *proof = &parent->proof;

    say(parent, parent->workers,
        &(struct errand){.kind = ERRAND_PROOF,
                         .place = proof->landlock,
                         .number = proof->tried << 16 | proof->refused},
        proof->status >= 0 ? fcntl(proof->status, F_DUPFD_CLOEXEC, 0) : -1);
}

/* A broker, heard over channels of its own. `cause`: of a lockdown that it begins with; or NULL. */
static enum error begin(struct parent *parent, const char *cause)
{
    int files[2] = {-1, -1}, workers[2] = {-1, -1};
    enum error error = ERROR_IO;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files) == 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, workers) == 0)
        error = start_broker(parent, files[1], workers[1], cause);
    close(files[1]);
    close(workers[1]);
    if (error == OK)
        error = channel_create(files[0], &parent->files);
    if (error == OK)
        error = channel_create(workers[0], &parent->workers);
    parent->hears_files = parent->hears_workers = error == OK;
    if (error == OK)
        tell_proof(parent);
    return error;
}

/* No child outlives this. */
static void end_all(struct parent *parent)
{
    spawning_kill(&parent->spawning);
    if (!parent->ended && parent->broker > 0) {
        kill(parent->broker, SIGKILL);
        (void)waitpid(parent->broker, NULL, 0);
    }
    parent->broker = 0;
    spawning_end(&parent->spawning);
    channel_destroy(parent->files);
    channel_destroy(parent->workers);
    parent->files = parent->workers = NULL;
}

/* ---- Lockdown ---- */

/* By a signal: the order is to stand after this process as well. */
static void keep_order(struct parent *parent)
{
    if (lockdown_order(&parent->lockdown) != OK)
        log_error("the file that keeps the lockdown cannot be made (%s); kill switches stay on, "
                  "but `sidelock arm` is not held back",
                  strerror(errno));
}

/*
 * Whoever could carry a byte is killed first, which does not ask whether anything hears; what
 * follows keeps it so. While it is ending anyway nothing begins anew: the file is there for the
 * next start.
 */
static void lock_down(struct parent *parent, const char *cause)
{
    const bool stopping = parent->stops > 0;

    launching_kill(&parent->launching);
    end_all(parent);
    log_error("%s: every connection is cut, and nothing is served", cause);
    if (strcmp(cause, PARENT_BROKER_SIGNAL) == 0)
        keep_order(parent);
    (void)lockdown_is_new(&parent->lockdown); /* it is obeyed */
    if (!stopping && begin(parent, cause) == OK)
        return;
    end_all(parent);
    parent->ended = true;
    parent->status = W_EXITCODE(EX_SOFTWARE, 0);
}

/* ---- Signals ---- */

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR2);
    sigaddset(set, SIGCHLD);
}

/* The first lets workers say goodbye, the second does not wait for them, a third for nothing. */
static void on_terminate(struct parent *parent)
{
    sigset_t now;

    say(parent, parent->workers, &(struct errand){.kind = ERRAND_STOP}, -1);
    if (++parent->stops < 2)
        return;
    sigemptyset(&now);
    sigaddset(&now, SIGTERM);
    sigaddset(&now, SIGINT);
    sigprocmask(SIG_UNBLOCK, &now, NULL);
}

static void reap(struct parent *parent)
{
    struct errand told;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == parent->broker) {
            parent->ended = true;
            parent->status = status;
        } else if (!launching_reap(&parent->launching, pid) &&
                   spawning_reap(&parent->spawning, pid, status, &told) && !parent->ended) {
            say(parent, parent->workers, &told, -1);
        }
    }
}

static void on_signal(struct parent *parent)
{
    struct signalfd_siginfo info;

    while (!parent->ended && read(parent->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(parent);
        else if (info.ssi_signo == SIGHUP)
            say(parent, parent->workers, &(struct errand){.kind = ERRAND_HANGUP}, -1);
        else if (info.ssi_signo == SIGUSR2)
            lock_down(parent, PARENT_BROKER_SIGNAL);
        else
            on_terminate(parent);
    }
}

/* ---- The launcher ---- */

static void hear_launching(struct parent *parent)
{
    struct errand what;
    int fd;

    while (launching_hear(&parent->launching, &what, &fd)) {
        if (fd >= 0 && !alone_keeps(&parent->alone, &what, fd))
            say(parent, parent->workers, &what, fd);
    }
}

/* What was started before there was a broker. */
static void hand_over(struct parent *parent)
{
    struct alone *alone = &parent->alone;

    for (size_t i = 0; i < ERRAND_END_COUNT; i++) {
        if (alone->ends[i] >= 0)
            say(parent, parent->workers, &alone->said[i], alone->ends[i]);
        alone->ends[i] = -1;
    }
}

static bool is_served_alone(const struct parent *parent)
{
    return parent->alone.options != NULL && !parent->alone.over;
}

/* ---- The whole ---- */

static struct pollfd polled_of(const struct channel *channel, bool open)
{
    return (struct pollfd){.fd = open ? channel_fd(channel) : -1,
                           .events =
                               open && channel_wants_write(channel) ? POLLIN | POLLOUT : POLLIN};
}

/* What a broker said before it ended, or was ended, needs no answer any more. */
static void hear_all(struct parent *parent, const struct pollfd *files,
                     const struct pollfd *workers)
{
    if (!parent->ended && files->revents != 0)
        parent->hears_files = hear(parent, parent->files);
    if (!parent->ended && workers->revents != 0)
        parent->hears_workers = hear(parent, parent->workers);
}

static void run(struct parent *parent)
{
    while (!parent->ended) {
        struct pollfd polled[] = {
            {.fd = parent->signals, .events = POLLIN},
            {.fd = parent->lockdown.watch, .events = POLLIN},
            polled_of(parent->files, parent->hears_files),
            polled_of(parent->workers, parent->hears_workers),
            polled_of(parent->launching.channel, parent->launching.channel != NULL),
            polled_of(parent->launching.launcher,
                      parent->launching.launcher != NULL && is_served_alone(parent))};
        pid_t broker = parent->broker;

        if (poll(polled, sizeof(polled) / sizeof(polled[0]),
                 lockdown_timeout_ms(&parent->lockdown)) < 0)
            continue;
        if (polled[0].revents != 0)
            on_signal(parent);
        if (!parent->ended && lockdown_is_new(&parent->lockdown))
            lock_down(parent, PARENT_BROKER_FILE);
        if (parent->broker == broker)
            hear_all(parent, &polled[2], &polled[3]);
        if (polled[5].revents != 0 && !alone_hear(&parent->alone, &parent->launching))
            on_terminate(parent); /* before another launcher takes the place of that one */
        if (!parent->ended && polled[4].revents != 0 && parent->launching.channel != NULL)
            hear_launching(parent);
    }
}

/* Signals are watched before anything is started that they could be for. */
static enum error watch(struct parent *parent)
{
    sigset_t signals;

    set_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    parent->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return parent->signals >= 0 ? OK : ERROR_IO;
}

/* The service that says what the gate's port is. */
static enum error start_alone(struct parent *parent, struct config_bundle *bundle)
{
    if (parent->alone.options == NULL)
        return OK;
    launching_follow(&parent->launching, bundle);
    return alone_await(&parent->alone, &parent->launching, parent->signals, bundle);
}

static enum error start(struct parent *parent, struct config_bundle *bundle)
{
    enum error error = watch(parent);

    if (error == OK)
        error = launching_start(&parent->launching); /* before there are fences */
    if (error == OK)
        error = start_alone(parent, bundle);
    if (error == OK)
        error = telemetry_open(bundle->config, &parent->telemetry);
    if (error == OK)
        error = holding_begin(bundle->config, &parent->proof);
    if (error == OK)
        error = lockdown_open(bundle->config->state_dir, &parent->lockdown);
    if (error == OK)
        error = opening_create(bundle, &parent->opening);
    if (error != OK)
        return error;
    opening_lend(parent->opening, &parent->telemetry);
    opening_hold(parent->opening, parent->alone.held, parent->alone.held_count);
    launching_follow(&parent->launching, opening_in_force(parent->opening));
    error = begin(parent, parent->lockdown.stood ? PARENT_BROKER_FILE : NULL);
    if (error == OK && parent->alone.options != NULL)
        hand_over(parent);
    return error;
}

static int exit_code(struct parent *parent)
{
    if (alone_ended(&parent->alone, &parent->launching))
        return parent->alone.code;
    if (WIFEXITED(parent->status))
        return WEXITSTATUS(parent->status);
    log_error("the broker was ended by signal %d, and so everything ends",
              WTERMSIG(parent->status));
    return EX_SOFTWARE;
}

/* A service that ended, or was told to, before it could be served is no fault of ours. */
static int run_all(struct parent *parent, struct config_bundle *bundle)
{
    enum error error = start(parent, bundle);

    if (error == OK)
        run(parent);
    if (error == OK || (error == ERROR_STATE && parent->alone.options != NULL)) {
        launching_finish(&parent->launching, parent->signals, parent->stops > 1);
        return exit_code(parent);
    }
    if (parent->alone.options == NULL || parent->opening != NULL)
        log_error("the broker cannot be started: %s", error_text(error));
    return error == ERROR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
}

int parent_run(const struct parent_options *options)
{
    struct parent *parent = calloc(1, sizeof(*parent));
    int code;

    if (parent == NULL)
        return EX_OSERR;
    log_set_name("parent");
    signal(SIGPIPE, SIG_IGN);
    holding_harden();
    spawning_init(&parent->spawning);
    parent->lockdown.watch = parent->proof.status = -1;
    parent->ready_fd = options->ready_fd;
    parent->launching.at_terminal = options->at_terminal;
    alone_init(&parent->alone, options->alone);
    code = run_all(parent, options->bundle);
    launching_end(&parent->launching);
    end_all(parent);
    drop_ready(parent);
    if (parent->proof.status >= 0)
        close(parent->proof.status);
    lockdown_close(&parent->lockdown);
    alone_clear(&parent->alone);
    telemetry_close(&parent->telemetry);
    opening_destroy(parent->opening);
    free(parent);
    return code;
}
