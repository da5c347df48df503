/*
 * What workers say, and who takes it in which state: one table. Called for each message by
 * core/workers.c, through the function that broker.c gives it.
 */
#include "broker/admission/takers.h"

static enum error take_ready(struct admission *admission, unsigned worker, const void *bytes,
                             size_t length)
{
    if (ipc_decode_bare(bytes, length) != OK)
        return ERROR_SYNTAX;
    workers_take_ready(admission->workers, worker);
    return OK;
}

/* A question that crossed our DRAIN on its way needs no answer any more. */
static enum error take_late(struct admission *admission, unsigned worker, const void *bytes,
                            size_t length)
{
    (void)admission;
    (void)worker;
    (void)bytes;
    (void)length;
    return OK;
}

/* What is not here may not be said. */
static const struct {
    enum ipc_type type;
    enum ipc_state state;
    taker *take;
} messages[] = {
    {IPC_READY, IPC_STARTING, take_ready},
    {IPC_ADMIT, IPC_RUNNING, admit_take},
    {IPC_ADMIT, IPC_DRAINING, take_late},
    {IPC_DIAL, IPC_RUNNING, dial_take},
    {IPC_DIAL, IPC_DRAINING, take_late},
    {IPC_DENIED, IPC_RUNNING, reports_take_denied},
    {IPC_DENIED, IPC_DRAINING, reports_take_denied},
    {IPC_REFUSED, IPC_RUNNING, reports_take_refused},
    {IPC_REFUSED, IPC_DRAINING, reports_take_refused},
    {IPC_CLOSED, IPC_RUNNING, reports_take_closed},
    {IPC_CLOSED, IPC_DRAINING, reports_take_closed},
    {IPC_COUNTS, IPC_RUNNING, reports_take_counts},
    {IPC_COUNTS, IPC_DRAINING, reports_take_counts},
};

enum error inbox_take(void *admission, unsigned worker, enum ipc_state state, const void *bytes,
                      size_t length)
{
    enum ipc_type type = ipc_type_of(bytes, length);

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type == type && messages[i].state == state)
            return messages[i].take(admission, worker, bytes, length);
    }
    return ERROR_SYNTAX;
}
