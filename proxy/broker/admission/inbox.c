/*
 * What workers say, and who takes it in which state: one table. Called for each message by
 * core/workers.c, through the function that broker.c gives it.
 */
#include "broker/admission/takers.h"

#include "broker/core/spawn.h"
#include "broker/core/switching.h"
#include "broker/telemetry/scrape.h"

#include <fcntl.h>
#include <string.h>

/* READY is for one that starts; these are for one that runs, and those of `general`. What is not
 * here may not be said. */
static const struct {
    enum ipc_type type;
    bool late;      /* also while it drains; a question that crossed our DRAIN needs no answer */
    bool brings;    /* a descriptor; no other may */
    size_t surface; /* where the message says which it is about */
    taker *take;
} messages[] = {
    {IPC_ADMIT, false, true, offsetof(struct ipc_admit, surface), admit_take},
    {IPC_DIAL, false, false, offsetof(struct ipc_dial, surface), dial_take},
    {IPC_DENIED, true, false, offsetof(struct ipc_denied, surface), reports_take_denied},
    {IPC_REFUSED, true, false, offsetof(struct ipc_refused, surface), reports_take_refused},
    {IPC_SUPPRESSED, true, false, offsetof(struct ipc_suppressed, surface),
     reports_take_suppressed},
    {IPC_CLOSED, true, false, offsetof(struct ipc_closed, surface), reports_take_closed},
    {IPC_COUNTS, true, false, offsetof(struct ipc_counts, surface), reports_take_counts},
    {IPC_VACATED, true, false, offsetof(struct ipc_vacated, surface), switching_take_vacated},
};

static enum error take(struct gate *gate, struct incarnation from, size_t row,
                       const struct workers_message *said)
{
    union {
        struct ipc_admit admit;
        struct ipc_dial dial;
        struct ipc_denied denied;
        struct ipc_refused refused;
        struct ipc_suppressed suppressed;
        struct ipc_closed closed;
        struct ipc_counts counts;
        struct ipc_vacated vacated;
    } message;
    struct surface_state *surface;
    uint32_t index;

    if (ipc_decode(messages[row].type, said->bytes, said->length, &message) != OK)
        return ERROR_SYNTAX;
    if (messages[row].type == IPC_ADMIT)
        message.admit.client = said->fd;
    memcpy(&index, (const char *)&message + messages[row].surface, sizeof(index));
    surface = surfaces_at(&gate->surfaces, index);
    if (surface == NULL || !switching_knows(surface, from))
        return ERROR_SYNTAX;
    /* Every worker has the slot of every surface, and vacates it. */
    if (messages[row].type != IPC_VACATED && !spawn_serves(&gate->surfaces, from.worker, index))
        return ERROR_SYNTAX;
    return messages[row].take(gate, from, surface, &message);
}

static enum error take_ready(struct gate *gate, struct incarnation from,
                             const struct workers_message *said)
{
    struct ipc_ready ready;

    if ((said->fd >= 0 && !proof_is_status(said->fd)) ||
        ipc_decode(IPC_READY, said->bytes, said->length, &ready) != OK)
        return ERROR_SYNTAX;
    workers_take_ready(gate->workers, from,
                       &(struct proof){.status = fcntl(said->fd, F_DUPFD_CLOEXEC, 0),
                                       .landlock = ready.landlock,
                                       .tried = ready.tried,
                                       .refused = ready.refused});
    return OK;
}

static enum error take_switched(struct gate *gate, struct incarnation from,
                                const struct workers_message *said)
{
    if (said->fd >= 0 || ipc_decode(IPC_SWITCHED, said->bytes, said->length, NULL) != OK)
        return ERROR_SYNTAX;
    return switching_take_switched(gate, from);
}

static enum error take_vitals(struct gate *gate, struct incarnation from,
                              const struct workers_message *said)
{
    struct ipc_vitals vitals;

    if (said->fd >= 0 || ipc_decode(IPC_VITALS, said->bytes, said->length, &vitals) != OK)
        return ERROR_SYNTAX;
    scrape_take_vitals(gate, from, &vitals);
    return OK;
}

/* As a question: once it drains, it needs no answer. */
static enum error take_scrape(struct gate *gate, struct incarnation from,
                              const struct workers_message *said)
{
    if (!vitals_may_ask(&gate->vitals, from.worker) || said->fd >= 0 ||
        ipc_decode(IPC_SCRAPE, said->bytes, said->length, NULL) != OK)
        return ERROR_SYNTAX;
    return said->state == IPC_DRAINING ? OK : scrape_take(gate, from);
}

/* What is about no surface. */
static const struct {
    enum ipc_type type;
    enum error (*take)(struct gate *gate, struct incarnation from,
                       const struct workers_message *said);
} general[] = {
    {IPC_SWITCHED, take_switched},
    {IPC_VITALS, take_vitals},
    {IPC_SCRAPE, take_scrape},
};

enum error inbox_take(struct gate *gate, struct incarnation from,
                      const struct workers_message *said)
{
    enum ipc_type type = ipc_type_of(said->bytes, said->length);

    if (said->state == IPC_STARTING)
        return take_ready(gate, from, said);
    for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++) {
        if (general[i].type == type)
            return general[i].take(gate, from, said);
    }
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type != type)
            continue;
        if (messages[i].brings != (said->fd >= 0))
            return ERROR_SYNTAX;
        if (said->state == IPC_DRAINING && !messages[i].late)
            return OK;
        return take(gate, from, i, said);
    }
    return ERROR_SYNTAX;
}
