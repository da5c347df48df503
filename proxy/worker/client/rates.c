#include "worker/client/rates.h"

#include "worker/client/members.h"

static void wait_for(struct connection *connection, enum allowance_of what)
{
    uint64_t until_ms =
        worker_now_ms(connection->worker) + allowance_wait_ms(connection->members->allowance, what);

    if (connection->quiet_until_ms < until_ms)
        connection->quiet_until_ms = until_ms;
}

static enum reason refuse(const struct connection *connection, enum allowance_of what)
{
    enum quota row = allowance_row(what);

    quotas_counts(connection->worker->quotas, connection->surface_index)->refused[row]++;
    return quota_info(row)->reason;
}

static enum reason pay(struct connection *connection, enum allowance_of what, uint64_t count)
{
    switch (allowance_pay(connection->members->allowance, what, count,
                          worker_now_ms(connection->worker))) {
    case ALLOWANCE_THERE:
        return REASON_INTERNAL;
    case ALLOWANCE_OWED:
        wait_for(connection, what);
        return REASON_INTERNAL;
    case ALLOWANCE_EXCEEDED:
        break;
    }
    return refuse(connection, what);
}

enum reason rates_late(struct connection *connection, enum allowance_of what, uint64_t bytes)
{
    enum reason reason = pay(connection, what, 1);

    return reason == REASON_INTERNAL ? pay(connection, ALLOWANCE_BYTES, bytes) : reason;
}

void rates_owe(struct connection *connection, enum allowance_of what, uint64_t count)
{
    if (allowance_owe(connection->members->allowance, what, count,
                      worker_now_ms(connection->worker)) == ALLOWANCE_OWED)
        wait_for(connection, what);
}

void rates_note_connection(struct connection *connection)
{
    struct worker *worker = connection->worker;
    uint32_t uid = connection->caller_known ? connection->caller_uid : UINT32_MAX;
    struct allowance *allowance =
        allowance_open(worker->allowances, quota_caller(connection->surface_index, uid),
                       &connection->surface->limits);

    connection->hasty =
        allowance != NULL && allowance_take(allowance, ALLOWANCE_CONNECTIONS, 1,
                                            worker_now_ms(worker)) == ALLOWANCE_EXCEEDED;
    allowance_close(allowance);
    if (connection->hasty)
        (void)refuse(connection, ALLOWANCE_CONNECTIONS);
}
