#include "broker/core/workers.h"

#include "base/log.h"
#include "broker/core/journal.h"
#include "broker/core/parent.h"
#include "broker/core/spawn.h"
#include "broker/core/switching.h"
#include "broker/core/vitals.h"
#include "broker/core/worker_process.h"
#include "setup/bundle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(3 * TLS_FILES_BYTES_MAX + 64 < IPC_MESSAGE_BYTES_MAX,
               "a surface's files fit one message to a worker");

static void start_process(struct worker_process *process);
static void on_channel(uv_poll_t *poll, int status, int events);

void workers_drain(struct workers *workers)
{
    bool any = false;

    workers->draining = true;
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];

        uv_timer_stop(&process->restart);
        if (!process->lives)
            continue;
        any = true;
        process->state = process->state == IPC_RUNNING ? IPC_DRAINING : process->state;
        worker_say(process, IPC_DRAIN, NULL, -1);
    }
    if (!any)
        workers->options.on_drained(workers->options.context);
}

/* It said so, and the parent said which process it is, in whichever order they were heard. */
static void take_ready(struct worker_process *process)
{
    struct workers *workers = process->workers;

    if (process->state == IPC_STARTING || process->pid <= 0)
        return;
    process->was_ready = true;
    if (workers->ready_told)
        return;
    for (unsigned i = 0; i < workers->count; i++) {
        if (!workers->processes[i].was_ready)
            return;
    }
    workers->ready_told = true;
    workers->options.on_ready(workers->options.context);
}

void workers_take_ready(struct workers *workers, struct incarnation from, const struct proof *proof)
{
    struct worker_process *process = &workers->processes[from.worker];

    process->proof = *proof;
    process->state = workers->draining ? IPC_DRAINING : IPC_RUNNING;
    take_ready(process);
}

const struct proof *workers_proof(const struct workers *workers, unsigned worker, pid_t *pid)
{
    const struct worker_process *process = &workers->processes[worker];

    *pid = process->pid;
    return process->pid > 0 && process->state != IPC_STARTING ? &process->proof : NULL;
}

uint64_t workers_restarts(const struct workers *workers)
{
    return workers->restarts;
}

/* One message; false if there is none, or nothing more to be heard. */
static bool receive(struct worker_process *process)
{
    const struct workers_options *options = &process->workers->options;
    struct workers_message message = {.state = process->state};
    enum error error =
        channel_receive(process->channel, &message.bytes, &message.length, &message.fd);

    if (error == ERROR_IO) {
        /* It has closed: the parent tells the rest. */
        worker_stop_listening(process);
        return false;
    }
    if (error == OK && message.length == 0)
        return false;
    if (error == OK)
        error = options->listen(options->gate, worker_incarnation(process), &message);
    if (message.fd >= 0)
        close(message.fd);
    if (error != OK)
        worker_put_down_broken(process, ipc_type_of(message.bytes, message.length));
    return !process->put_down;
}

/* It takes what waits for it; false if it has gone. */
static bool flush(struct worker_process *process)
{
    size_t before = channel_waiting_bytes(process->channel);

    if (channel_flush(process->channel) != OK)
        return false;
    if (channel_waiting_bytes(process->channel) < before)
        uv_timer_stop(&process->patience);
    if (process->certificates_due && !channel_wants_write(process->channel))
        worker_send_certificates(process);
    return true;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct worker_process *process = poll->data;

    (void)events;
    if (status < 0 || !flush(process)) {
        worker_stop_listening(process);
        return;
    }
    /* What is left of it, the next turn of the loop finds again, but for what came together. */
    for (unsigned i = 0;
         (i < WORKER_MESSAGES_PER_TURN || channel_has_more(process->channel)) && receive(process);
         i++)
        ;
    if (process->poll_events != 0)
        worker_watch(process);
}

/* Spawns it with its end of a channel, and hears what it says. */
static enum error spawn(struct worker_process *process, int channel)
{
    const struct workers_options *options = &process->workers->options;
    struct spawn_descriptors given = {.channel = channel, .config = options->gate->bundle->sealed};
    enum error error;
    int errors[2];

    if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0)
        return ERROR_IO;
    given.errors = errors[1];
    if (vitals_serves(process->index)) {
        given.telemetry = options->gate->vitals.listeners;
        given.telemetry_count = options->gate->vitals.listener_count;
    }
    error = spawn_worker(options->gate->parent, &options->gate->surfaces, process->index, &given);
    close(errors[1]);
    if (error != OK || worker_log_create(&options->gate->loop, process->index, errors[0],
                                         &process->log_account, &process->log) != OK)
        close(errors[0]);
    return error;
}

static void stop_hearing(struct worker_process *process)
{
    worker_log_end(process->log);
    process->log = NULL;
}

static void on_poll_closed(uv_handle_t *handle);

/* The broker's end of its channel. */
static enum error open_channel(struct worker_process *process, int fd)
{
    enum error error = channel_create(fd, &process->channel);

    if (error != OK) {
        close(fd);
        return error;
    }
    if (uv_poll_init(&process->workers->options.gate->loop, &process->poll, fd) != 0) {
        channel_destroy(process->channel);
        process->channel = NULL;
        return ERROR_IO;
    }
    process->poll.data = process;
    process->on_channel = on_channel;
    process->poll_open = true;
    process->poll_events = 0;
    return OK;
}

static enum error launch(struct worker_process *process)
{
    enum error error;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    error = open_channel(process, pair[0]);
    if (error == OK)
        error = spawn(process, pair[1]);
    close(pair[1]);
    process->lives = error == OK;
    process->put_down = !process->lives;
    if (error == OK) {
        process->state = IPC_STARTING;
        process->generation = ++process->workers->generations;
        worker_watch(process);
        worker_send_certificates(process);
    } else if (process->poll_open) {
        uv_close((uv_handle_t *)&process->poll, on_poll_closed);
    }
    return error;
}

/* The place is the next one's when nothing is left of the last. */
static void on_restart(uv_timer_t *timer)
{
    struct worker_process *process = timer->data;

    if (endings_are_left(&process->workers->endings, process->index))
        uv_timer_start(timer, on_restart, WORKER_RESTART_DELAY_MS, 0);
    else
        start_process(process);
}

static void start_process(struct worker_process *process)
{
    enum error error = launch(process);

    if (error == OK)
        return;
    log_error("worker %u cannot be started: %s", process->index, error_text(error));
    uv_timer_start(&process->restart, on_restart, 10 * WORKER_RESTART_DELAY_MS, 0);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct worker_process *process = handle->data;

    process->poll_open = false;
    channel_destroy(process->channel);
    process->channel = NULL;
    process->certificates_due = false;
    uv_timer_stop(&process->patience);
    if (process->workers->draining)
        return;
    uv_timer_start(&process->restart, on_restart, WORKER_RESTART_DELAY_MS, 0);
}

static void forget_process(struct worker_process *process)
{
    if (process->pidfd >= 0)
        close(process->pidfd);
    if (process->proof.status >= 0)
        close(process->proof.status);
    process->proof.status = -1;
    process->pidfd = -1;
    process->pid = 0;
    process->lives = false;
}

/* The log says how it ended; its connections end with it. */
static void on_exit_of(struct worker_process *process, int status)
{
    const struct workers_options *options = &process->workers->options;
    struct audit *audit = options->gate->audit;
    bool asked = process->workers->draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;

    forget_process(process);
    /* What it told last; what it asked last is nobody's any more. */
    process->state = process->state == IPC_RUNNING ? IPC_DRAINING : process->state;
    while (process->channel != NULL && !process->put_down && receive(process))
        ;
    stop_hearing(process);
    options->forget(options->gate, worker_incarnation(process));
    endings_begin(&process->workers->endings, worker_incarnation(process),
                  process->workers->draining ? REASON_DRAINING : REASON_WORKER_LOST);
    switching_forget(options->gate, process->index);
    if (!asked) {
        process->workers->restarts++;
        log_error("worker %u ended: %s %d", process->index,
                  WIFSIGNALED(status) ? "signal" : "exit code",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        audit_begin(audit, "worker_exited");
        audit_number(audit, "worker", process->index);
        if (WIFSIGNALED(status))
            audit_number(audit, "signal", WTERMSIG(status));
        else
            audit_number(audit, "exit_code", WEXITSTATUS(status));
        journal_commit(audit);
    }
    if (process->poll_open)
        uv_close((uv_handle_t *)&process->poll, on_poll_closed);
}

static void tell_drained(const struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++) {
        if (workers->processes[i].lives)
            return;
    }
    if (workers->draining && !workers->ending)
        workers->options.on_drained(workers->options.context);
}

void workers_take_spawned(struct workers *workers, unsigned worker, pid_t pid, int pidfd)
{
    struct worker_process *process = &workers->processes[worker];

    process->pid = pid;
    process->pidfd = pidfd;
    if (pid > 0) {
        if (process->put_down)
            worker_kill(process);
        else
            take_ready(process);
        return;
    }
    log_error("worker %u cannot be started", worker);
    process->put_down = true;
    forget_process(process);
    switching_forget(workers->options.gate, worker);
    stop_hearing(process);
    if (process->poll_open)
        uv_close((uv_handle_t *)&process->poll, on_poll_closed);
    tell_drained(workers);
}

void workers_take_ended(struct workers *workers, unsigned worker, int status)
{
    on_exit_of(&workers->processes[worker], status);
    tell_drained(workers);
}

enum error workers_create(const struct workers_options *options, struct workers **out)
{
    unsigned count = options->gate->surfaces.config->workers;
    struct workers *workers = calloc(1, sizeof(*workers) + count * sizeof(workers->processes[0]));

    if (workers == NULL)
        return ERROR_MEMORY;
    workers->options = *options;
    workers->count = count;
    endings_open(&workers->endings, options->gate);
    for (unsigned i = 0; i < count; i++) {
        struct worker_process *process = &workers->processes[i];

        process->workers = workers;
        process->index = i;
        process->pidfd = process->proof.status = -1;
        uv_timer_init(&options->gate->loop, &process->restart);
        uv_timer_init(&options->gate->loop, &process->patience);
        process->restart.data = process->patience.data = process;
        start_process(process);
    }
    *out = workers;
    return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

void workers_destroy(struct workers *workers)
{
    if (workers == NULL)
        return;
    workers->draining = workers->ending = true;
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];

        process->put_down = process->put_down || process->pid == 0;
        worker_kill(process);
        while (process->lives && parent_wait(workers->options.gate->parent))
            ;
        stop_hearing(process);
        uv_close((uv_handle_t *)&process->restart, on_timer_closed);
        uv_close((uv_handle_t *)&process->patience, on_timer_closed);
        if (process->poll_open && !uv_is_closing((uv_handle_t *)&process->poll))
            uv_close((uv_handle_t *)&process->poll, on_poll_closed);
    }
    endings_close(&workers->endings);
    uv_run(&workers->options.gate->loop, UV_RUN_NOWAIT);
    workers->options.gate->workers = NULL;
    free(workers);
}
