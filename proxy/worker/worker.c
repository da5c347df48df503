#include "worker/worker.h"

#include "base/log.h"
#include "system/proof.h"
#include "system/sandbox.h"
#include "worker/change.h"
#include "worker/client/accept.h"
#include "worker/client/client.h"
#include "worker/client/cut.h"
#include "worker/client/grant.h"
#include "worker/client/held.h"
#include "worker/client/members.h"
#include "worker/client/own_pages.h"
#include "worker/client/reports.h"
#include "worker/client/rounds.h"
#include "worker/client/slots.h"
#include "worker/counts.h"
#include "worker/http/exchange.h"
#include "worker/mcp/mcp.h"
#include "worker/probes/probes.h"
#include "worker/pulse.h"
#include "worker/resources.h"
#include "worker/websocket/websocket.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_TIMEOUT_MS   5000
#define FLUSH_PATIENCE_MS  2000 /* for the broker to read what was told last */
#define COUNTS_INTERVAL_MS 1000
#define EXIT_FAILED        70

/* All rooms of the worker, which know nothing of each other but downwards. */
struct house {
    struct worker worker; /* first: what all of them share */
    struct accept accept;
    struct http http;
    struct content_gate mcp;
    struct mcp_shared mcp_shared;
    struct change change;
    struct probes probes;
    struct pulse pulse;
    struct resources resources;
    struct proof proof; /* its descriptor goes to the broker */
    uv_poll_t channel_poll;
    int channel_events;
    uv_timer_t tick;
    uv_prepare_t reaper; /* frees the dead */
    uv_idle_t cutter;    /* runs while connections are still to be cut */
    bool ready_told;
    uint64_t drain_deadline_ms;
};

/* ---- What the broker says ---- */

/* Whatever of these a message is. */
union told {
    struct ipc_verdict verdict;
    struct ipc_link link;
    struct ipc_cut_session cut_session;
    struct ipc_cut_surface cut_surface;
    struct ipc_extend extend;
    struct ipc_tls tls;
    struct ipc_listen listen;
    struct ipc_config config;
    struct ipc_scraped scraped;
};

static void go_on_cutting(uv_idle_t *idle)
{
    struct house *house = idle->data;

    if (!cut_go_on(&house->worker))
        uv_idle_stop(idle);
}

/* Most are done at once; else the rest, turn by turn. */
static void cut(struct house *house)
{
    if (cut_go_on(&house->worker))
        uv_idle_start(&house->cutter, go_on_cutting);
}

static bool on_drain(struct house *house, const union told *told, int fd)
{
    (void)told;
    (void)fd;
    if (house->worker.draining)
        return true;
    house->worker.draining = true;
    house->drain_deadline_ms = worker_now_ms(&house->worker) + DRAIN_TIMEOUT_MS;
    accept_stop(&house->accept);
    probes_shut(&house->probes);
    connection_drop_all(&house->worker, REASON_DRAINING);
    return true;
}

static bool on_verdict(struct house *house, const union told *told, int fd)
{
    const struct ipc_verdict *verdict = &told->verdict;
    struct connection *connection = connection_find(&house->worker, verdict->connection);

    if (verdict->surface >= CONFIG_SLOTS_MAX ||
        (fd >= 0 && (!reason_allows(verdict->reason) || verdict->answer != NULL)))
        return false;
    accept_yield(&house->accept, verdict->surface, verdict->crowded);
    if (connection == NULL || connection->state != CONNECTION_ASKING)
        grant_decline(&house->worker, verdict, fd);
    else if (!reason_allows(verdict->reason))
        connection_drop(connection, verdict->reason);
    else if (verdict->answer != NULL)
        own_pages_show(connection, verdict);
    else if (fd >= 0)
        websocket_begin(connection, verdict, fd);
    else
        http_begin(&house->http, connection, verdict);
    return true;
}

static bool on_link(struct house *house, const union told *told, int fd)
{
    const struct ipc_link *link = &told->link;
    struct connection *connection = connection_find(&house->worker, link->connection);

    if (reason_allows(link->reason) != (fd >= 0))
        return false;
    if (connection != NULL && connection->mode->linked != NULL)
        connection->mode->linked(connection, link->reason, fd);
    else if (fd >= 0)
        close(fd); /* whoever asked for it has gone */
    return true;
}

static bool on_cut_session(struct house *house, const union told *told, int fd)
{
    (void)fd;
    cut_session(&house->worker, told->cut_session.session_id, told->cut_session.reason);
    cut(house);
    mcp_sessions_end_all(&house->mcp_shared.sessions, told->cut_session.session_id);
    slots_forget_session(&house->worker, told->cut_session.session_id);
    return true;
}

static bool on_cut_surface(struct house *house, const union told *told, int fd)
{
    (void)fd;
    if (slots_at(&house->worker, told->cut_surface.surface) == NULL)
        return false;
    cut_surface(&house->worker, told->cut_surface.surface, told->cut_surface.reason);
    pool_vacate(&house->http.pool, told->cut_surface.surface);
    if (told->cut_surface.reason != REASON_KILL_REHEARSED) /* its sessions are over */
        mcp_sessions_end_surface(&house->mcp_shared.sessions, told->cut_surface.surface);
    cut(house);
    return true;
}

static bool on_extend(struct house *house, const union told *told, int fd)
{
    (void)fd;
    members_extend(&house->worker, told->extend.session_id, told->extend.expires_at);
    return true;
}

static void tell_if_ready(struct house *house)
{
    if (house->ready_told || !accept_complete(&house->accept))
        return;
    house->ready_told = true;
    accept_open(&house->accept, true);
    worker_tell_ready(&house->worker, &house->proof);
}

/* The message held a key: nothing of it stays in the channel's buffer. */
static bool on_tls(struct house *house, const union told *told, int fd)
{
    bool installed = accept_install(&house->accept, &told->tls) == OK;

    (void)fd;
    channel_wipe(house->worker.channel);
    if (installed)
        tell_if_ready(house);
    return installed;
}

static bool on_listen(struct house *house, const union told *told, int fd)
{
    return fd >= 0 && slots_at(&house->worker, told->listen.surface) != NULL &&
           accept_add(&house->accept, fd, told->listen.surface) == OK;
}

static bool on_config(struct house *house, const union told *told, int fd)
{
    bool taken = fd >= 0 && change_begin(&house->change, fd, &told->config) == OK;

    if (taken)
        close(fd);
    return taken;
}

static bool on_scraped(struct house *house, const union told *told, int fd)
{
    return probes_take(&house->probes, &told->scraped, fd);
}

/* So many connections as the surfaces in force permit, and the descriptors. */
static void share_out(struct house *house)
{
    size_t wanted = slots_connections(&house->worker);

    house->accept.connection_max = resources_connections(&house->resources, wanted);
    house->worker.granted_max = resources_granted(house->accept.connection_max);
}

static bool on_switch(struct house *house, const union told *told, int fd)
{
    (void)told;
    (void)fd;
    change_switch(&house->change);
    share_out(house);
    cut(house);
    worker_tell(&house->worker, IPC_SWITCHED, NULL);
    return true;
}

/* False: the message breaks the protocol; then the descriptor is not taken over. */
static const struct {
    enum ipc_type type;
    bool may_bring_fd;
    bool (*handle)(struct house *house, const union told *told, int fd);
} messages[] = {
    {IPC_VERDICT, true, on_verdict},
    {IPC_LINK, true, on_link},
    {IPC_CUT_SESSION, false, on_cut_session},
    {IPC_CUT_SURFACE, false, on_cut_surface},
    {IPC_EXTEND, false, on_extend},
    {IPC_TLS, false, on_tls},
    {IPC_LISTEN, true, on_listen},
    {IPC_CONFIG, true, on_config},
    {IPC_SWITCH, false, on_switch},
    {IPC_SCRAPED, true, on_scraped},
    {IPC_DRAIN, false, on_drain},
};

static bool on_message(struct house *house, const void *bytes, size_t length, int fd)
{
    enum ipc_type type = ipc_type_of(bytes, length);
    union told told;
    bool taken = false;

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type == type && (fd < 0 || messages[i].may_bring_fd))
            taken = ipc_decode(type, bytes, length, &told) == OK &&
                    messages[i].handle(house, &told, fd);
    }
    if (!taken && fd >= 0)
        close(fd);
    return taken;
}

/* ---- The loop ---- */

static void on_channel(uv_poll_t *poll, int status, int events);

static void watch_channel(struct house *house)
{
    const struct worker *worker = &house->worker;
    int events = UV_READABLE | (channel_blocked(worker->channel) ? UV_WRITABLE : 0);

    if (events != house->channel_events)
        uv_poll_start(&house->channel_poll, events, on_channel);
    house->channel_events = events;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct house *house = poll->data;
    struct worker *worker = &house->worker;
    const void *bytes;
    size_t length;
    int fd;

    (void)events;
    if (status < 0 || channel_flush(worker->channel) != OK) {
        worker_fail(worker, "the broker is gone");
        return;
    }
    while (!worker->failed) {
        if (channel_receive(worker->channel, &bytes, &length, &fd) != OK) {
            worker_fail(worker, "the broker is gone");
            return;
        }
        if (length == 0)
            return;
        if (!on_message(house, bytes, length, fd))
            worker_fail(worker, "the broker broke the protocol");
    }
}

/* What was counted instead of told. */
static void tell_counted(struct house *house, bool last)
{
    struct worker *worker = &house->worker;

    counts_tell_all(worker);
    pulse_tell(&house->pulse, worker, &house->probes.strays);
    reports_settle(worker, last);
    allowances_settle(worker->allowances, worker_now_ms(worker));
}

static void on_tick(uv_timer_t *timer)
{
    struct house *house = timer->data;
    struct worker *worker = &house->worker;
    uint64_t now_ms = worker_now_ms(worker);
    int64_t now_s = (int64_t)time(NULL);

    worker->urgent = true;
    rounds_go_on(worker, now_ms, now_s);
    pool_expire(&house->http.pool, false);
    accept_tick(&house->accept);
    probes_tick(&house->probes);
    pulse_note(&house->pulse, ROUND_MS);
    change_vacate(&house->change);
    if (now_ms / ROUND_MS % (COUNTS_INTERVAL_MS / ROUND_MS) == 0)
        tell_counted(house, false);
    if (worker->draining && now_ms >= house->drain_deadline_ms)
        uv_stop(&worker->loop);
}

/* Once each turn of the loop, when no callback is on the stack. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct house *house = prepare->data;
    struct worker *worker = &house->worker;

    endpoints_reap(&worker->endpoints);
    connection_reap(worker);
    accept_go_on(&house->accept);
    worker_flush(worker);
    watch_channel(house);
    if (worker->draining && worker->connections == NULL && !channel_wants_write(worker->channel))
        uv_stop(&worker->loop);
}

/* ---- Beginning and end ---- */

static const struct content_gate *gate_of(const struct http *http, const struct route *route)
{
    const struct house *house =
        (const struct house *)((const char *)http - offsetof(struct house, http));

    return route->kind == ROUTE_MCP_HTTP ? &house->mcp : content_gate_of(route);
}

static enum error start_loop(struct house *house, int channel_fd_taken)
{
    struct worker *worker = &house->worker;
    enum error error = channel_create(channel_fd_taken, &worker->channel);

    if (error != OK)
        return error;
    if (uv_loop_init(&worker->loop) != 0 ||
        uv_poll_init(&worker->loop, &house->channel_poll, channel_fd(worker->channel)) != 0)
        return ERROR_IO;
    uv_timer_init(&worker->loop, &house->tick);
    uv_prepare_init(&worker->loop, &house->reaper);
    uv_idle_init(&worker->loop, &house->cutter);
    worker->endpoints.loop = &worker->loop;
    house->channel_poll.data = house->tick.data = house->reaper.data = house->cutter.data = house;
    uv_timer_start(&house->tick, on_tick, ROUND_MS, ROUND_MS);
    uv_prepare_start(&house->reaper, on_prepare);
    return OK;
}

static enum error add_listeners(struct house *house, const struct worker_options *options)
{
    enum error error = OK;

    for (const struct worker_listener *listener = options->listeners;
         error == OK && listener < options->listeners + options->listener_count; listener++)
        error = listener->surface == CONFIG_SLOT_TELEMETRY
                    ? probes_add(&house->probes, listener->fd)
                    : accept_add(&house->accept, listener->fd, listener->surface);
    return error;
}

/* Everything that needs a system call the sandbox forbids happens in here. */
static enum error start(struct house *house, const struct worker_options *options)
{
    struct worker *worker = &house->worker;
    const struct resources *resources = &house->resources;
    enum error error = slots_begin(worker, options->slots);

    if (error == OK)
        error = resources_size(options->connections, &house->resources);
    house->http.pool.waiting_max = resources->links_waiting_max;
    share_out(house);
    worker->held_max = worker->config->worker_memory_bytes;
    if (error == OK)
        error = worker_allocate(worker);
    house->mcp_shared.sessions.quotas = worker->quotas;
    if (error == OK)
        error = pool_create(&house->http.pool, worker);
    if (error == OK)
        error = accept_prepare(&house->accept);
    if (error == OK)
        error = start_loop(house, options->channel_fd);
    if (error == OK)
        error = resources_fence_memory(resources, worker->held_max);
    if (error == OK)
        error = proof_hold(FENCES_WORKER, NULL, 0, &house->proof);
    if (error == OK)
        error = sandbox_enter(resources->descriptors_max);
    if (error == OK)
        error = add_listeners(house, options);
    if (error != OK)
        return error;
    accept_open(&house->accept, true);
    tell_if_ready(house);
    return OK;
}

/* What was told last reaches the broker, unless that does not read for so long. */
static void flush_channel(struct house *house)
{
    struct worker *worker = &house->worker;
    uint64_t deadline_ms = worker_now_ms(worker) + FLUSH_PATIENCE_MS;

    while (!worker->failed && channel_wants_write(worker->channel) &&
           worker_now_ms(worker) < deadline_ms) {
        watch_channel(house);
        uv_run(&worker->loop, UV_RUN_ONCE);
    }
}

/* Ends what is left at once: the process is about to exit. */
static void stop(struct house *house)
{
    struct worker *worker = &house->worker;
    struct connection *next;

    worker->stopping = true;
    worker->draining = true; /* nothing that ends now makes room for another */
    tell_counted(house, true);
    accept_stop(&house->accept);
    probes_stop(&house->probes);
    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        c->mode->release(c);
    }
    pool_expire(&house->http.pool, true);
    mcp_shared_clear(&house->mcp_shared);
    flush_channel(house);
    uv_close((uv_handle_t *)&house->channel_poll, NULL);
    uv_close((uv_handle_t *)&house->tick, NULL);
    uv_close((uv_handle_t *)&house->reaper, NULL);
    uv_close((uv_handle_t *)&house->cutter, NULL);
    endpoints_end(&worker->endpoints);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    connection_reap(worker);
    uv_loop_close(&worker->loop);
}

static void release(struct house *house)
{
    pool_destroy(&house->http.pool);
    accept_release(&house->accept);
    probes_release(&house->probes);
    members_clear(&house->worker);
    slots_clear(&house->worker);
    worker_release(&house->worker);
}

int worker_run(const struct worker_options *options)
{
    struct house house = {.worker = {.config = options->config}};
    enum error error;

    house.accept.worker = &house.worker;
    probes_init(&house.probes, &house.worker);
    house.change = (struct change){.worker = &house.worker,
                                   .accept = &house.accept,
                                   .pool = &house.http.pool,
                                   .mcp = &house.mcp_shared,
                                   .read = options->read,
                                   .self_uid = getuid()};
    house.mcp = mcp_gate(&house.mcp_shared);
    house.http.gate_of = gate_of;
    error = start(&house, options);
    if (error == OK) {
        uv_run(&house.worker.loop, UV_RUN_DEFAULT);
        stop(&house);
    } else {
        log_error("cannot start: %s", error_text(error));
    }
    release(&house);
    return error == OK && !house.worker.failed ? 0 : EXIT_FAILED;
}
