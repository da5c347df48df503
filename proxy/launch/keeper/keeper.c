#include "launch/keeper/keeper.h"

#include "launch/calls/calls.h"
#include "launch/common/passing.h"
#include "launch/keeper/dial.h"
#include "launch/keeper/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_A_TURN 32

struct keeper {
    int channel, signals;
    pid_t leader;
    struct calls calls;
};

/* A parent that cannot be told has gone, and with it the tree. */
static void tell(const struct keeper *keeper, const struct keeper_word *word, const int *descriptor)
{
    if (passing_send(keeper->channel, word, sizeof(*word), descriptor, descriptor != NULL) != OK)
        _exit(EXIT_FAILURE);
}

/* Not waited for: whoever asks for the impossible again and again fills the channel with it. */
static void on_refused(void *data, const struct refusal *refusal)
{
    const struct keeper *keeper = data;
    struct keeper_word word = {.type = KEEPER_REFUSED, .refusal = *refusal};

    (void)send(keeper->channel, &word, sizeof(word), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell_ports(struct keeper *keeper)
{
    struct ports *ports = &keeper->calls.ports;

    for (size_t i = 0; i < ports->count; i++) {
        struct keeper_word word = {.type = KEEPER_PORT, .port = ports->rows[i]};

        if (ports->told[i])
            continue;
        ports->told[i] = true;
        tell(keeper, &word, NULL);
    }
}

/* `descriptor` is let go of; without one, `error` says why. */
static void answer(const struct keeper *keeper, const struct keeper_ask *ask, int descriptor,
                   int error)
{
    struct keeper_word word = {.type = KEEPER_DIALED, .number = ask->number, .value = error};

    tell(keeper, &word, error == 0 ? &descriptor : NULL);
    if (error == 0)
        close(descriptor);
}

static void on_dial(struct keeper *keeper, const struct keeper_ask *ask)
{
    int socket = -1, error = dial_port(&keeper->calls.ports, ask->value, &socket);

    answer(keeper, ask, socket, error);
}

static void on_enter(const struct keeper *keeper, const struct keeper_ask *ask)
{
    int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    answer(keeper, ask, network, network >= 0 ? 0 : errno);
}

static void on_list(struct keeper *keeper, const struct keeper_ask *ask)
{
    struct keeper_word word = {.type = KEEPER_LISTED, .number = ask->number};

    if (ports_refresh(&keeper->calls.ports) != OK)
        word.value = EIO;
    for (size_t i = 0; i < keeper->calls.ports.count; i++)
        keeper->calls.ports.told[i] = false;
    tell_ports(keeper);
    tell(keeper, &word, NULL);
}

static void on_parent(struct keeper *keeper)
{
    struct keeper_ask ask;
    int descriptor;
    size_t none = 0;

    if (passing_receive(keeper->channel, &ask, sizeof(ask), &descriptor, &none) != OK)
        _exit(EXIT_FAILURE);
    if (ask.type == KEEPER_DIAL)
        on_dial(keeper, &ask);
    else if (ask.type == KEEPER_ENTER)
        on_enter(keeper, &ask);
    else if (ask.type == KEEPER_LIST)
        on_list(keeper, &ask);
    else if (ask.type == KEEPER_SIGNAL)
        kill(keeper->leader, (int)ask.value);
    else
        _exit(EXIT_FAILURE);
}

static void on_children(struct keeper *keeper)
{
    struct signalfd_siginfo ignored;
    int status;
    pid_t child;

    (void)!read(keeper->signals, &ignored, sizeof(ignored));
    while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
        if (child == keeper->leader) {
            struct keeper_word word = {.type = KEEPER_EXITED, .value = status};

            recorder_end(&keeper->calls.recorder);
            tell(keeper, &word, NULL);
            _exit(EXIT_SUCCESS);
        }
        calls_ended(&keeper->calls, child, status);
    }
}

static void on_calls(struct keeper *keeper)
{
    struct pollfd more = {.fd = keeper->calls.notify, .events = POLLIN};
    int turns = 0;

    do {
        if (calls_answer(&keeper->calls) != OK)
            _exit(EXIT_FAILURE); /* nobody of the tree could go on */
    } while (++turns < ANSWERS_A_TURN && poll(&more, 1, 0) > 0 && (more.revents & POLLIN) != 0);
    tell_ports(keeper);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch_connects(struct keeper *keeper)
{
    static uint64_t watched_ms;

    if (!calls_wait(&keeper->calls) || now_ms() - watched_ms < DEEDS_WATCH_MS)
        return;
    calls_watch(&keeper->calls);
    watched_ms = now_ms();
}

static _Noreturn void serve(struct keeper *keeper)
{
    struct pollfd watched[] = {{.fd = keeper->channel, .events = POLLIN},
                               {.fd = keeper->signals, .events = POLLIN},
                               {.fd = keeper->calls.notify, .events = POLLIN}};

    for (;;) {
        int patience_ms = calls_wait(&keeper->calls) ? DEEDS_WATCH_MS : -1;

        if (poll(watched, sizeof(watched) / sizeof(watched[0]), patience_ms) < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        watch_connects(keeper);
        if (watched[0].revents != 0)
            on_parent(keeper);
        if (watched[1].revents != 0)
            on_children(keeper);
        if ((watched[2].revents & POLLIN) != 0)
            on_calls(keeper);
        else if (watched[2].revents != 0)
            watched[2].fd = -1; /* the last process with the filter has ended: SIGCHLD says so */
    }
}

/* The spawner lets the kernel reap; here it matters who ended, and how. */
static int watch_children(void)
{
    sigset_t children;

    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &children, NULL) < 0)
        return -1;
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void keeper_run(const struct keeper_options *options)
{
    static struct keeper keeper;
    struct keeper_word word = {.type = KEEPER_FAILED, .step = STEP_KEEPER};
    struct settled settled = {.calls = &keeper.calls};

    keeper.channel = options->channel;
    keeper.calls.refused = on_refused;
    keeper.calls.data = &keeper;
    keeper.calls.recorder.channel = options->record;
    keeper.signals = watch_children();
    if (keeper.signals < 0 || keeper_settle(options, &settled, &word.step) != OK) {
        word.value = errno;
        tell(&keeper, &word, NULL);
        _exit(EXIT_FAILURE);
    }
    keeper.leader = settled.leader;
    keeper.calls.begun = true;
    word.type = KEEPER_STARTED;
    word.value = settled.leader;
    word.proof = settled.proof;
    tell(&keeper, &word, settled.proof.status >= 0 ? &settled.proof.status : NULL);
    passing_close(&settled.proof.status);
    serve(&keeper);
}
