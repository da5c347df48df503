#include "broker/core/tell.h"

#include "broker/core/services.h"
#include "broker/core/spawn.h"
#include "broker/core/worker_process.h"

#include <fcntl.h>
#include <unistd.h>

static void say_all(struct workers *workers, enum ipc_type type, const void *message)
{
    for (unsigned i = 0; i < workers->count; i++)
        worker_say(&workers->processes[i], type, message, -1);
}

void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    struct worker_process *process = &workers->processes[to.worker];

    if (process->generation == to.generation)
        worker_say(process, type, message, fd);
    else if (fd >= 0)
        close(fd);
}

/* Whose bit is set in `places`, or who keeps state besides, if that counts. */
static void say_holders(struct workers *workers, uint32_t places, bool state, enum ipc_type type,
                        const void *message)
{
    const struct surfaces *surfaces = &workers->options.gate->surfaces;

    for (unsigned i = 0; i < workers->count; i++) {
        if ((places >> i & 1) != 0 || (state && spawn_keeps_state(surfaces, i)))
            worker_say(&workers->processes[i], type, message, -1);
    }
}

void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason)
{
    const struct ipc_cut_session cut = {.session_id = session_id, .reason = reason};

    services_cut_session(workers->options.gate->services, session_id);
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

void workers_end_holders(struct workers *workers, uint32_t places, const char *why)
{
    for (unsigned i = 0; i < workers->count; i++) {
        struct worker_process *process = &workers->processes[i];

        if ((places >> i & 1) != 0 && process->lives && !process->put_down)
            worker_put_down(process, why);
    }
}

void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at)
{
    say_holders(workers, connections_holders(&workers->options.gate->connections, session_id),
                false, IPC_EXTEND,
                &(struct ipc_extend){.session_id = session_id, .expires_at = expires_at});
}

/* The newest are enough: while others still wait for a slow worker, these do not follow them. */
void worker_send_certificates(struct worker_process *process)
{
    const struct surfaces *surfaces = &process->workers->options.gate->surfaces;

    process->certificates_due = process->channel != NULL && channel_wants_write(process->channel);
    if (process->certificates_due)
        return;
    for (size_t i = 0; i < surfaces->count; i++)
        worker_send_certificate(process, surfaces->live[i]);
}

void workers_send_certificates(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++)
        worker_send_certificates(&workers->processes[i]);
}

enum error workers_send_listener(struct workers *workers, const struct surface_state *surface,
                                 const struct surface_listener *listener)
{
    const struct surfaces *surfaces = &workers->options.gate->surfaces;
    const struct ipc_listen listen = {.surface = surfaces_index(surfaces, surface)};
    enum error error = OK;

    for (unsigned i = 0; i < workers->count; i++) {
        int fd;

        if (!spawn_serves(surfaces, i, listen.surface))
            continue;
        fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            worker_say(&workers->processes[i], IPC_LISTEN, &listen, fd);
        else
            error = ERROR_IO;
    }
    return error;
}
