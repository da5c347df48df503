#include "parent/parent.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "parent/launch.h"
#include "parent/opening.h"
#include "parent/spawning.h"
#include "system/notify.h"
#include "system/proof.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct parent {
    struct opening *opening;
    struct spawning spawning;
    struct channel *files, *workers;
    int signals; /* signalfd(2) */
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

/* ---- Signals ---- */

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
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
        } else if (spawning_reap(&parent->spawning, pid, status, &told) && !parent->ended) {
            say(parent, parent->workers, &told, -1);
        }
    }
}

static void on_signal(struct parent *parent)
{
    struct signalfd_siginfo info;

    while (read(parent->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(parent);
        else if (info.ssi_signo == SIGHUP)
            say(parent, parent->workers, &(struct errand){.kind = ERRAND_HANGUP}, -1);
        else
            on_terminate(parent);
    }
}

/* ---- The whole ---- */

static struct pollfd polled_of(const struct channel *channel, bool open)
{
    return (struct pollfd){.fd = open ? channel_fd(channel) : -1,
                           .events = channel_wants_write(channel) ? POLLIN | POLLOUT : POLLIN};
}

static void run(struct parent *parent)
{
    bool files = true, workers = true;

    while (!parent->ended) {
        struct pollfd polled[] = {{.fd = parent->signals, .events = POLLIN},
                                  polled_of(parent->files, files),
                                  polled_of(parent->workers, workers)};

        if (poll(polled, sizeof(polled) / sizeof(polled[0]), -1) < 0)
            continue;
        /* What a broker said before it ended needs no answer any more. */
        if (polled[0].revents != 0)
            on_signal(parent);
        if (!parent->ended && polled[1].revents != 0)
            files = hear(parent, parent->files);
        if (!parent->ended && polled[2].revents != 0)
            workers = hear(parent, parent->workers);
    }
}

/* The broker's ends of the channels, and what else it is born with. */
static enum error start_broker(struct parent *parent, int files, int workers,
                               const struct parent_options *options)
{
    const int descriptors[] = {files, workers, options->bundle->sealed, options->ready_fd};
    const bool tell = options->ready_fd >= 0;
    const struct launch launch = {.verb = PARENT_BROKER_VERB,
                                  .arguments = {tell ? PARENT_BROKER_TELL : NULL},
                                  .descriptors = descriptors,
                                  .count = tell ? 4 : 3,
                                  .errors = STDERR_FILENO};
    int pidfd = -1;
    enum error error = launch_self(&launch, &parent->broker, &pidfd);

    if (pidfd >= 0)
        close(pidfd);
    return error;
}

static enum error start(struct parent *parent, const struct parent_options *options)
{
    int files[2] = {-1, -1}, workers[2] = {-1, -1};
    sigset_t signals;
    enum error error = ERROR_IO;

    set_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    parent->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (parent->signals >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files) == 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, workers) == 0)
        error = start_broker(parent, files[1], workers[1], options);
    close(files[1]);
    close(workers[1]);
    if (error == OK)
        error = channel_create(files[0], &parent->files);
    if (error == OK)
        error = channel_create(workers[0], &parent->workers);
    return error == OK ? opening_create(options->bundle, &parent->opening) : error;
}

/* Nobody looks into it, or at what is left of it: what it says is obeyed by the broker. */
static void harden(void)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        log_warning("core dumps could not be forbidden");
}

/*
 * It changes no file and dials nobody, nor does a worker, which it starts; the broker, which does
 * write, has its own fences and is there already. Nor could it look into that any more.
 */
static enum error hold(struct parent *parent)
{
    const struct landlock_place nowhere = {"/dev/null", LANDLOCK_MAY_WRITE};
    struct proof proof;
    enum error error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? OK : ERROR_IO;

    if (error == OK)
        error = proof_hold(FENCES_PARENT, &nowhere, 1, &proof);
    if (error != OK)
        return error;
    proof_log_lacking(&proof, FENCES_PARENT, "the parent");
    say(parent, parent->workers,
        &(struct errand){.kind = ERRAND_PROOF,
                         .place = proof.landlock,
                         .number = proof.tried << 16 | proof.refused},
        proof.status);
    return OK;
}

static int exit_code(const struct parent *parent)
{
    if (WIFEXITED(parent->status))
        return WEXITSTATUS(parent->status);
    log_error("the broker was ended by signal %d, and so everything ends",
              WTERMSIG(parent->status));
    return EX_SOFTWARE;
}

int parent_run(const struct parent_options *options)
{
    struct parent *parent = calloc(1, sizeof(*parent));
    int code = EX_OSERR;
    enum error error;

    if (parent == NULL)
        return code;
    log_set_name("parent");
    signal(SIGPIPE, SIG_IGN);
    harden();
    spawning_init(&parent->spawning);
    error = start(parent, options);
    if (options->ready_fd >= 0)
        close(options->ready_fd);
    if (error == OK)
        error = hold(parent);
    if (error == OK) {
        run(parent);
        code = exit_code(parent);
    } else {
        log_error("the broker cannot be started: %s", error_text(error));
    }
    spawning_end(&parent->spawning);
    if (!parent->ended && parent->broker > 0) {
        kill(parent->broker, SIGKILL);
        (void)waitpid(parent->broker, NULL, 0);
    }
    channel_destroy(parent->files);
    channel_destroy(parent->workers);
    opening_destroy(parent->opening);
    free(parent);
    return code;
}
