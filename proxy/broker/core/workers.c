#include "broker/core/workers.h"

#include "base/log.h"
#include "base/secret.h"
#include "broker/core/endings.h"
#include "broker/core/journal.h"
#include "broker/core/spawn.h"
#include "broker/core/worker_log.h"
#include "ipc/channel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(3 * TLS_FILES_BYTES_MAX + 64 < IPC_MESSAGE_BYTES_MAX,
               "a surface's files fit one message to a worker");

struct worker_process {
    struct workers *workers;
    unsigned index;
    uint64_t generation; /* of the process that runs, or ran last */
    pid_t pid;           /* 0: none */
    enum ipc_state state;
    struct channel *channel;
    struct worker_log *log; /* NULL: nobody hears what it says */
    struct worker_log_account log_account;
    uv_poll_t poll;
    uv_timer_t restart;
    uv_timer_t patience;   /* runs while it takes nothing of what waits for it */
    bool certificates_due; /* once it has taken what waits */
    bool poll_open, was_ready;
    bool put_down; /* neither heard nor told anything any more */
    int poll_events;
};

struct workers {
    struct workers_options options;
    bool draining, ready_told;
    uint64_t restarts;
    uint64_t generations; /* the last that was given out */
    struct endings endings;
    unsigned count;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX]; /* for encoding */
    struct worker_process processes[];
};

static void start_process(struct worker_process *process);
static void on_channel(uv_poll_t *poll, int status, int events);
static void on_impatient(uv_timer_t *timer);

static struct incarnation incarnation_of(const struct worker_process *process)
{
    return (struct incarnation){process->index, process->generation};
}

static void watch(struct worker_process *process)
{
    bool waits = channel_wants_write(process->channel);
    int events = UV_READABLE | (waits ? UV_WRITABLE : 0);

    if (!waits)
        uv_timer_stop(&process->patience);
    else if (!uv_is_active((uv_handle_t *)&process->patience))
        uv_timer_start(&process->patience, on_impatient, WORKER_PATIENCE_MS, 0);
    if (events != process->poll_events)
        uv_poll_start(&process->poll, events, on_channel);
    process->poll_events = events;
}

static void stop_listening(struct worker_process *process)
{
    uv_poll_stop(&process->poll);
    process->poll_events = 0;
}

/* A worker that does not listen or breaks the protocol is not worth keeping. */
static void put_down(struct worker_process *process, const char *why)
{
    log_error("worker %u (pid %d) %s; ending it", process->index, (int)process->pid, why);
    process->put_down = true;
    if (process->pid > 0)
        kill(process->pid, SIGKILL);
}

/* One that is only slow takes something now and then. */
static void on_impatient(uv_timer_t *timer)
{
    put_down(timer->data, "takes no messages");
}

/* It asked or told what only one that is broken, or not its own master, does. */
static void put_down_broken(struct worker_process *process, enum ipc_type type)
{
    struct audit *audit = process->workers->options.gate->audit;

    audit_begin(audit, "worker_refused");
    audit_number(audit, "worker", process->index);
    audit_number(audit, "pid", process->pid);
    audit_number(audit, "message", type);
    audit_reason(audit, REASON_WORKER_PROTOCOL);
    journal_commit(audit);
    stop_listening(process);
    put_down(process, "broke the protocol");
}

/* Nothing is left of a key in the buffer that every message is written in. */
static void say(struct worker_process *process, enum ipc_type type, const void *message, int fd)
{
    struct ipc_writer writer = {.bytes = process->workers->buffer};

    if (process->channel == NULL || process->put_down) {
        if (fd >= 0)
            close(fd);
        return;
    }
    ipc_encode(&writer, type, message);
    if (channel_send(process->channel, &writer, fd) != OK)
        put_down(process, "does not take messages");
    else
        watch(process);
    if (type == IPC_TLS)
        secret_wipe(writer.bytes, writer.length);
}

static void say_all(struct workers *workers, enum ipc_type type, const void *message)
{
    for (unsigned i = 0; i < workers->count; i++)
        say(&workers->processes[i], type, message, -1);
}

void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    struct worker_process *process = &workers->processes[to.worker];

    if (process->generation == to.generation)
        say(process, type, message, fd);
    else if (fd >= 0)
        close(fd);
}

/* Whose bit is set in `places`, or who keeps state besides, if that counts. */
static void say_holders(struct workers *workers, uint32_t places, bool state, enum ipc_type type,
                        const void *message)
{
    const struct config *config = workers->options.gate->surfaces.config;

    for (unsigned i = 0; i < workers->count; i++) {
        if ((places >> i & 1) != 0 || (state && spawn_keeps_state(config, i)))
            say(&workers->processes[i], type, message, -1);
    }
}

void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason)
{
    const struct ipc_cut_session cut = {.session_id = session_id, .reason = reason};

    if (session_id == NULL)
        say_all(workers, IPC_CUT_SESSION, &cut);
    else
        say_holders(workers, connections_holders(&workers->options.gate->connections, session_id),
                    true, IPC_CUT_SESSION, &cut);
}

void workers_cut_surface(struct workers *workers, const struct surface_state *surface,
                         enum reason reason)
{
    uint32_t index = surfaces_index(&workers->options.gate->surfaces, surface);

    say_all(workers, IPC_CUT_SURFACE,
            &(struct ipc_cut_surface){.surface = index, .reason = reason});
}

void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at)
{
    say_holders(workers, connections_holders(&workers->options.gate->connections, session_id),
                false, IPC_EXTEND,
                &(struct ipc_extend){.session_id = session_id, .expires_at = expires_at});
}

/* The newest are enough: while others still wait for a slow worker, these do not follow them. */
static void send_certificates(struct worker_process *process)
{
    const struct surfaces *surfaces = &process->workers->options.gate->surfaces;

    process->certificates_due = process->channel != NULL && channel_wants_write(process->channel);
    if (process->certificates_due)
        return;
    for (size_t i = 0; i < surfaces->config->surface_count; i++) {
        const struct tls_files *files = surfaces->items[i].tls;

        if (files != NULL)
            say(process, IPC_TLS,
                &(struct ipc_tls){.surface = (uint32_t)i,
                                  .certificate = files->certificate.data,
                                  .key = files->key.data,
                                  .client_ca = files->client_ca.data},
                -1);
    }
}

void workers_send_certificates(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++)
        send_certificates(&workers->processes[i]);
}

enum error workers_send_listener(struct workers *workers, const struct surface_state *surface,
                                 const struct surface_listener *listener)
{
    const struct surfaces *surfaces = &workers->options.gate->surfaces;
    const struct ipc_listen listen = {.surface = surfaces_index(surfaces, surface)};
    enum error error = OK;

    for (unsigned i = 0; i < workers->count; i++) {
        int fd;

        if (!spawn_serves(surfaces->config, i, listen.surface))
            continue;
        fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            say(&workers->processes[i], IPC_LISTEN, &listen, fd);
        else
            error = ERROR_IO;
    }
    return error;
}

void workers_drain(struct workers *workers)
{
    bool any = false;

    workers->draining = true;
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];

        uv_timer_stop(&process->restart);
        if (process->pid <= 0)
            continue;
        any = true;
        process->state = process->state == IPC_RUNNING ? IPC_DRAINING : process->state;
        say(process, IPC_DRAIN, NULL, -1);
    }
    if (!any)
        workers->options.on_drained(workers->options.context);
}

void workers_take_ready(struct workers *workers, struct incarnation from)
{
    struct worker_process *process = &workers->processes[from.worker];

    process->state = workers->draining ? IPC_DRAINING : IPC_RUNNING;
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
        /* It has closed: SIGCHLD tells the rest. */
        stop_listening(process);
        return false;
    }
    if (error == OK && message.length == 0)
        return false;
    if (error == OK)
        error = options->listen(options->gate, incarnation_of(process), &message);
    if (message.fd >= 0)
        close(message.fd);
    if (error != OK)
        put_down_broken(process, ipc_type_of(message.bytes, message.length));
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
        send_certificates(process);
    return true;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct worker_process *process = poll->data;

    (void)events;
    if (status < 0 || !flush(process)) {
        stop_listening(process);
        return;
    }
    /* What is left of it, the next turn of the loop finds again. */
    for (unsigned i = 0; i < WORKER_MESSAGES_PER_TURN && receive(process); i++)
        ;
    if (process->poll_events != 0)
        watch(process);
}

/* Spawns it with its end of a channel, and hears what it says. */
static enum error spawn(struct worker_process *process, int channel)
{
    const struct workers_options *options = &process->workers->options;
    struct spawn_descriptors given = {.channel = channel, .config = options->config_fd};
    enum error error;
    int errors[2];

    if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0)
        return ERROR_IO;
    given.errors = errors[1];
    error = spawn_worker(&options->gate->surfaces, process->index, &given, &process->pid);
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

static enum error launch(struct worker_process *process)
{
    const struct workers_options *options = &process->workers->options;
    enum error error;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    error = spawn(process, pair[1]);
    close(pair[1]);
    if (error == OK)
        error = channel_create(pair[0], &process->channel);
    if (error != OK) {
        close(pair[0]);
        return error;
    }
    process->state = IPC_STARTING;
    process->put_down = false;
    process->generation = ++process->workers->generations;
    if (uv_poll_init(&options->gate->loop, &process->poll, pair[0]) != 0)
        return ERROR_IO;
    process->poll.data = process;
    process->poll_open = true;
    process->poll_events = 0;
    watch(process);
    send_certificates(process);
    return OK;
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

/* The log says how it ended; its connections end with it. */
static void on_exit_of(struct worker_process *process, int status)
{
    const struct workers_options *options = &process->workers->options;
    struct audit *audit = options->gate->audit;
    bool asked = process->workers->draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;

    process->pid = 0;
    /* What it told last; what it asked last is nobody's any more. */
    process->state = process->state == IPC_RUNNING ? IPC_DRAINING : process->state;
    while (process->channel != NULL && !process->put_down && receive(process))
        ;
    stop_hearing(process);
    options->forget(options->gate, incarnation_of(process));
    endings_begin(&process->workers->endings, incarnation_of(process),
                  process->workers->draining ? REASON_DRAINING : REASON_WORKER_LOST);
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

void workers_reap(struct workers *workers)
{
    bool any = false;

    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];
        int status;

        if (process->pid > 0 && waitpid(process->pid, &status, WNOHANG) == process->pid)
            on_exit_of(process, status);
        any = any || process->pid > 0;
    }
    if (workers->draining && !any)
        workers->options.on_drained(workers->options.context);
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
    workers->draining = true;
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];

        int status;

        if (process->pid > 0) {
            kill(process->pid, SIGKILL);
            if (waitpid(process->pid, &status, 0) == process->pid)
                on_exit_of(process, status);
        }
        stop_hearing(process);
        uv_close((uv_handle_t *)&process->restart, on_timer_closed);
        uv_close((uv_handle_t *)&process->patience, on_timer_closed);
        if (process->poll_open && !uv_is_closing((uv_handle_t *)&process->poll))
            uv_close((uv_handle_t *)&process->poll, on_poll_closed);
    }
    endings_close(&workers->endings);
    uv_run(&workers->options.gate->loop, UV_RUN_NOWAIT);
    free(workers);
}
