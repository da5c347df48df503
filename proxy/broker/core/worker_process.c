#include "broker/core/worker_process.h"

#include "base/log.h"
#include "base/secret.h"
#include "broker/core/journal.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_impatient(uv_timer_t *timer);

struct incarnation worker_incarnation(const struct worker_process *process)
{
    return (struct incarnation){process->index, process->generation};
}

void worker_watch(struct worker_process *process)
{
    bool waits = channel_wants_write(process->channel);
    int events = UV_READABLE | (waits ? UV_WRITABLE : 0);

    if (!waits)
        uv_timer_stop(&process->patience);
    else if (!uv_is_active((uv_handle_t *)&process->patience))
        uv_timer_start(&process->patience, on_impatient, WORKER_PATIENCE_MS, 0);
    if (events != process->poll_events)
        uv_poll_start(&process->poll, events, process->on_channel);
    process->poll_events = events;
}

void worker_stop_listening(struct worker_process *process)
{
    uv_poll_stop(&process->poll);
    process->poll_events = 0;
}

/* By its pidfd: the number may be another's meanwhile. */
void worker_kill(const struct worker_process *process)
{
    if (process->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

void worker_put_down(struct worker_process *process, const char *why)
{
    log_error("worker %u (pid %d) %s; ending it", process->index, (int)process->pid, why);
    process->put_down = true;
    worker_kill(process);
}

/* One that is only slow takes something now and then. */
static void on_impatient(uv_timer_t *timer)
{
    worker_put_down(timer->data, "takes no messages");
}

/* It asked or told what only one that is broken, or not its own master, does. */
void worker_put_down_broken(struct worker_process *process, enum ipc_type type)
{
    struct audit *audit = process->workers->options.gate->audit;

    audit_begin(audit, "worker_refused");
    audit_number(audit, "worker", process->index);
    audit_number(audit, "pid", process->pid);
    audit_number(audit, "message", type);
    audit_reason(audit, REASON_WORKER_PROTOCOL);
    journal_commit(audit);
    worker_stop_listening(process);
    worker_put_down(process, "broke the protocol");
}

/* Nothing is left of a key in the buffer that every message is written in. */
void worker_say(struct worker_process *process, enum ipc_type type, const void *message, int fd)
{
    struct ipc_writer writer = {.bytes = process->workers->buffer};

    if (process->channel == NULL || process->put_down) {
        if (fd >= 0)
            close(fd);
        return;
    }
    ipc_encode(&writer, type, message);
    if (channel_send(process->channel, &writer, fd) != OK)
        worker_put_down(process, "does not take messages");
    else
        worker_watch(process);
    if (type == IPC_TLS)
        secret_wipe(writer.bytes, writer.length);
}

void worker_send_certificate(struct worker_process *process, const struct surface_state *surface)
{
    const struct tls_files *files = surface->tls;

    if (files == NULL)
        return;
    worker_say(process, IPC_TLS,
               &(struct ipc_tls){
                   .surface = surfaces_index(&process->workers->options.gate->surfaces, surface),
                   .certificate = files->certificate.data,
                   .key = files->key.data,
                   .client_ca = files->client_ca.data},
               -1);
}
