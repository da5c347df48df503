#include "launch/supervise/telling.h"

#include "base/log.h"
#include "launch/common/passing.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sysexits.h>

/* ---- The end ---- */

static bool is_empty(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (!place_is_free(&supervisor->places[i]))
            return false;
    }
    return true;
}

/* All services have their time to end; then there is nothing more to do. */
void telling_finish(struct supervisor *supervisor, uint32_t patience_ms)
{
    if (supervisor->finishing)
        return;
    supervisor->finishing = true;
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        place_end(&supervisor->places[i], patience_ms);
    if (is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

void telling_fail(struct supervisor *supervisor, const char *why)
{
    log_error("%s; the launcher ends, and with it its services", why);
    supervisor->exit_code = EX_SOFTWARE;
    uv_stop(&supervisor->loop);
}

void telling_on_lost(void *context)
{
    telling_fail(context, "the process that makes trees has gone");
}

/* ---- What the two are told ---- */

void telling_watch(struct line *line)
{
    if (line->supervisor->finishing && !uv_is_active((uv_handle_t *)&line->poll))
        return;
    uv_poll_start(&line->poll, UV_READABLE | (channel_wants_write(line->channel) ? UV_WRITABLE : 0),
                  line->heard);
}

/* `fd` (-1: none) is taken over. Who does not hear is about to end. */
void telling_say(struct line *line, const struct errand *errand, int fd)
{
    struct ipc_writer writer = {.bytes = line->supervisor->buffer};
    enum error error;

    errand_encode(&writer, errand);
    error = channel_send(line->channel, &writer, fd);
    if (error == ERROR_LIMIT)
        telling_fail(line->supervisor, "somebody hears nothing");
    else if (error == OK)
        telling_watch(line);
}

/* The parent hears of the one that it has asked for, the broker of those that it has. */
static void tell(struct supervisor *supervisor, const struct life *life,
                 const struct errand *errand)
{
    if (life->alone != NULL)
        telling_say(&supervisor->parent, errand, -1);
    if (lone_is_told(&supervisor->lone, life))
        telling_say(&supervisor->broker, errand, -1);
}

void telling_state(struct supervisor *supervisor, const struct life *life)
{
    struct errand errand = {
        .kind = ERRAND_SERVICE, .place = life->slot, .number = life->state, .text = life->why};
    char port[16];

    if (lone_is_told(&supervisor->lone, life))
        telling_say(&supervisor->broker, &errand, -1);
    if (life->alone == NULL)
        return;
    snprintf(port, sizeof(port), "%u", life->port);
    if (life->state == SERVICE_READY)
        errand.text = port;
    telling_say(&supervisor->parent, &errand, -1);
}

void telling_on_over(void *context, const struct life *life, int status)
{
    struct supervisor *supervisor = context;

    telling_say(&supervisor->parent,
                &(struct errand){.kind = ERRAND_OVER,
                                 .place = life->slot,
                                 .number = (uint32_t)status,
                                 .text = life->why},
                -1);
}

void telling_on_changed(void *context, struct life *life)
{
    struct supervisor *supervisor = context;

    telling_state(supervisor, life);
    if (life->state != SERVICE_GONE)
        return;
    supervisor->places[life->slot].life = NULL;
    if (!supervisor->finishing)
        return;
    if (life->alone != NULL)
        telling_on_over(supervisor, life, life->status);
    if (is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

void telling_on_ports(void *context, struct life *life)
{
    tell(context, life,
         &(struct errand){.kind = ERRAND_PORTS,
                          .place = life->slot,
                          .number = (uint32_t)life->pid,
                          .text = life->watch.ports});
}

/* The broker's alone, which asks the kernel itself by the descriptor. */
void telling_on_fenced(void *context, struct life *life)
{
    struct supervisor *supervisor = context;
    int status = life->proof.status >= 0 ? fcntl(life->proof.status, F_DUPFD_CLOEXEC, 0) : -1;
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", life->pid_inside);
    if (status >= 0 && lone_is_told(&supervisor->lone, life))
        telling_say(&supervisor->broker,
                    &(struct errand){.kind = ERRAND_FENCED,
                                     .place = life->slot,
                                     .number = life->proof.tried << 16 | life->proof.refused,
                                     .text = pid},
                    status);
    else
        passing_close(&status);
}

/* One that ends before the broker has asked for it is the parent's alone. */
void telling_on_exited(void *context, struct life *life, int status, const char *failed)
{
    struct supervisor *supervisor = context;

    if (lone_is_told(&supervisor->lone, life))
        telling_say(&supervisor->broker,
                    &(struct errand){.kind = ERRAND_EXITED,
                                     .place = life->slot,
                                     .number = (uint32_t)status,
                                     .text = failed},
                    -1);
}

/* A broker that has not asked for the lone one yet knows nothing of it. */
void telling_on_refused(void *context, uint32_t slot, const struct refusal *refusal)
{
    struct supervisor *supervisor = context;
    struct errand errand = {.kind = ERRAND_REFUSED, .place = slot, .text = refusal->path};

    if (refusal->call == SYS_connect) {
        errand.kind = ERRAND_UNREACHED;
        errand.number = refusal->protocol << 16 | refusal->port;
    }
    if (refusal->limit != LIMIT_NONE)
        errand =
            (struct errand){.kind = ERRAND_LIMIT,
                            .place = slot,
                            .number = refusal->limit == LIMIT_MEMORY ? SERVICE_LIMIT_MEMORY
                                                                     : SERVICE_LIMIT_PROCESSES};
    if (supervisor->lone.name[0] == '\0' || supervisor->lone.told)
        telling_say(&supervisor->broker, &errand, -1);
}

void telling_on_seen(void *context, struct life *life)
{
    struct supervisor *supervisor = context;

    if (lone_is_told(&supervisor->lone, life))
        telling_say(
            &supervisor->broker,
            &(struct errand){.kind = ERRAND_SIGHT, .place = life->slot, .number = life->sight}, -1);
}

void telling_on_proven(void *context, struct life *life)
{
    struct supervisor *supervisor = context;

    telling_say(&supervisor->broker, &(struct errand){.kind = ERRAND_PROVEN, .place = life->slot},
                -1);
}

void telling_on_said(void *context, const struct errand *errand)
{
    struct supervisor *supervisor = context;

    telling_say(&supervisor->broker, errand, -1);
}

void telling_say_state(struct supervisor *supervisor, uint32_t slot, enum service_state state)
{
    telling_say(
        &supervisor->broker,
        &(struct errand){.kind = ERRAND_SERVICE, .place = slot, .number = state, .text = ""}, -1);
}

void telling_on_gone(void *context, uint32_t slot)
{
    struct supervisor *supervisor = context;

    telling_say_state(supervisor, slot, SERVICE_GONE);
    supervisor->places[slot].stdio = NULL;
    if (supervisor->finishing && is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

void telling_on_neighbour(void *context, struct neighbour *neighbour)
{
    struct supervisor *supervisor = context;
    char port[16] = "";

    if (neighbour->listens)
        snprintf(port, sizeof(port), "%u/tcp", neighbour->port);
    if (neighbour->state == SERVICE_READY)
        telling_say(&supervisor->broker,
                    &(struct errand){.kind = ERRAND_PORTS, .place = neighbour->slot, .text = port},
                    -1);
    telling_say(&supervisor->broker,
                &(struct errand){.kind = ERRAND_SERVICE,
                                 .place = neighbour->slot,
                                 .number = neighbour->state,
                                 .text = neighbour->why},
                -1);
    if (neighbour->state != SERVICE_GONE)
        return;
    supervisor->places[neighbour->slot].neighbour = NULL;
    if (supervisor->finishing && is_empty(supervisor))
        uv_stop(&supervisor->loop);
}

void telling_on_neighbour_proven(void *context, struct neighbour *neighbour)
{
    struct supervisor *supervisor = context;

    telling_say(&supervisor->broker,
                &(struct errand){.kind = ERRAND_PROVEN, .place = neighbour->slot}, -1);
}
