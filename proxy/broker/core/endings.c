#include "broker/core/endings.h"

#include "broker/core/journal.h"

struct told {
    struct gate *gate;
    enum reason reason;
};

static void tell(void *context, const struct connection_entry *entry)
{
    const struct told *told = context;
    struct audit *audit =
        journal_begin(told->gate, "closed", lines_client(entry->session_id, false, 0));

    audit_text(audit, "surface", entry->surface->config->name);
    audit_text(audit, "session", entry->session_id);
    audit_number(audit, "connection", (int64_t)entry->id);
    audit_reason(audit, told->reason);
    journal_commit(audit);
}

static void count(void *context, const struct connection_entry *entry)
{
    journal_suppress(context, "closed", lines_client(entry->session_id, false, 0), 1);
}

/* False if nothing was left of any. */
static bool go_on(struct endings *endings)
{
    struct gate *gate = endings->gate;

    for (unsigned i = 0; i < CONFIG_WORKERS_MAX; i++) {
        if (endings->places[i].left) {
            endings->places[i].left = connections_remove_ended(
                &gate->connections, endings->places[i].worker, ENDINGS_PER_TURN, count, gate);
            return true;
        }
    }
    return false;
}

static void on_turn(uv_idle_t *idle)
{
    if (!go_on(idle->data))
        uv_idle_stop(idle);
}

void endings_open(struct endings *endings, struct gate *gate)
{
    *endings = (struct endings){.gate = gate};
    uv_idle_init(&gate->loop, &endings->idle);
    endings->idle.data = endings;
}

void endings_begin(struct endings *endings, struct incarnation worker, enum reason reason)
{
    struct connections *connections = &endings->gate->connections;
    struct told told = {.gate = endings->gate, .reason = reason};

    connections_end_worker(connections, worker);
    endings->places[worker.worker].worker = worker;
    endings->places[worker.worker].left =
        connections_remove_ended(connections, worker, ENDINGS_PER_TURN, tell, &told);
    if (endings->places[worker.worker].left)
        uv_idle_start(&endings->idle, on_turn);
}

bool endings_are_left(const struct endings *endings, unsigned place)
{
    return endings->places[place].left;
}

void endings_close(struct endings *endings)
{
    while (go_on(endings))
        ;
    uv_close((uv_handle_t *)&endings->idle, NULL);
}
