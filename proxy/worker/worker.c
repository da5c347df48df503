#include "worker/worker.h"

#include "base/log.h"
#include "base/secret.h"
#include "system/sandbox.h"
#include "worker/mcp/mcp.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SPARE_DESCRIPTORS          64
#define DESCRIPTORS_PER_CONNECTION 2
#define DESCRIPTORS_OF_TLS         2 /* the socket pair between TLS and the rest */
#define ACCEPT_SLACK               128
#define COUNTS_INTERVAL_MS         1000
#define HEAP_BLOCK_BYTES_MAX       (8 * 1024 * 1024)  /* larger ones are mapped alone */
#define HEAP_KEPT_BYTES_MAX        (16 * 1024 * 1024) /* free memory at the heap's end */
#define EXIT_FAILED                70

void worker_fail(struct worker *worker, const char *why)
{
    if (!worker->failed)
        log_error("%s; stopping", why);
    worker->failed = true;
    /* While it stops, the loop must turn until every handle has closed. */
    if (!worker->stopping)
        uv_stop(&worker->loop);
}

void worker_random(struct worker *worker, unsigned char *out, size_t length)
{
    if (worker->random_left < length) {
        if (secret_random(worker->random, sizeof(worker->random)) != OK) {
            worker_fail(worker, "no random bytes");
            memset(worker->random, 0, sizeof(worker->random));
        }
        worker->random_left = sizeof(worker->random);
    }
    worker->random_left -= length;
    memcpy(out, worker->random + worker->random_left, length);
}

static void drop_all(struct worker *worker, enum reason reason,
                     bool (*applies)(const struct connection *connection, const void *what),
                     const void *what)
{
    struct connection *next;

    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        if (applies == NULL || applies(c, what))
            connection_drop(c, reason);
    }
}

static bool is_of_session(const struct connection *connection, const void *what)
{
    return connection->admitted && strcmp(connection->session_id, what) == 0;
}

static bool is_admitted(const struct connection *connection, const void *what)
{
    (void)what;
    return connection->admitted;
}

static bool is_of_surface(const struct connection *connection, const void *what)
{
    return connection->admitted && connection->surface_index == *(const uint32_t *)what;
}

static void begin_drain(struct worker *worker)
{
    if (worker->draining)
        return;
    worker->draining = true;
    worker->drain_deadline_ms = worker_now_ms(worker) + DRAIN_TIMEOUT_MS;
    accept_stop(worker);
    drop_all(worker, REASON_DRAINING, NULL, NULL);
}

/* A verdict for a connection that has gone meanwhile: the link goes as well. */
static void on_stray_verdict(struct worker *worker, const struct ipc_verdict *verdict, int fd)
{
    struct ipc_writer writer = {.bytes = worker->ipc_buffer};

    if (fd >= 0)
        close(fd);
    if (!reason_allows(verdict->reason) || verdict->answer != NULL)
        return;
    ipc_encode_closed(&writer, &(struct ipc_closed){.connection = verdict->connection,
                                                    .surface = verdict->surface,
                                                    .reason = REASON_CLIENT_CLOSED,
                                                    .session_id = verdict->session_id});
    if (channel_send(worker->channel, &writer, -1) != OK)
        worker_fail(worker, "a report could not be sent");
}

static enum error on_verdict(struct worker *worker, const void *bytes, size_t length, int fd)
{
    struct ipc_verdict verdict;
    struct connection *connection;

    if (ipc_decode_verdict(bytes, length, &verdict) != OK ||
        verdict.surface >= worker->config->surface_count ||
        (fd >= 0 && (!reason_allows(verdict.reason) || verdict.answer != NULL))) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    connection = connection_find(worker, verdict.connection);
    if (connection == NULL || connection->state != CONNECTION_ADMITTING)
        on_stray_verdict(worker, &verdict, fd);
    else if (!reason_allows(verdict.reason))
        connection_drop(connection, verdict.reason);
    else if (verdict.answer != NULL)
        own_paths_answer(connection, &verdict);
    else if (fd >= 0)
        upgrade_admitted(connection, &verdict, fd);
    else
        handshake_granted(connection, &verdict);
    return OK;
}

static enum error on_link(struct worker *worker, const void *bytes, size_t length, int fd)
{
    struct connection *connection;
    struct exchange *exchange;
    struct ipc_link link;

    if (ipc_decode_link(bytes, length, &link) != OK || reason_allows(link.reason) != (fd >= 0)) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    connection = connection_find(worker, link.connection);
    exchange = connection != NULL ? connection->exchange : NULL;
    if (exchange != NULL && exchange->reply.length > 0)
        mcp_reply_linked(connection, link.reason, fd);
    else if (exchange != NULL && connection->state == CONNECTION_EXCHANGE &&
             exchange->phase == EXCHANGE_DIALLING)
        exchange_linked(connection, link.reason, fd);
    else if (fd >= 0)
        close(fd); /* whoever asked for it has gone */
    return OK;
}

static enum error on_cut_session(struct worker *worker, const void *bytes, size_t length)
{
    struct ipc_cut_session cut;

    if (ipc_decode_cut_session(bytes, length, &cut) != OK)
        return ERROR_SYNTAX;
    drop_all(worker, cut.reason, cut.session_id != NULL ? is_of_session : is_admitted,
             cut.session_id);
    mcp_sessions_end_all(&worker->mcp_sessions, cut.session_id);
    return OK;
}

static enum error on_cut_surface(struct worker *worker, const void *bytes, size_t length)
{
    struct ipc_cut_surface cut;

    if (ipc_decode_cut_surface(bytes, length, &cut) != OK)
        return ERROR_SYNTAX;
    drop_all(worker, cut.reason, is_of_surface, &cut.surface);
    return OK;
}

static enum error on_extend(struct worker *worker, const void *bytes, size_t length)
{
    struct ipc_extend extend;

    if (ipc_decode_extend(bytes, length, &extend) != OK)
        return ERROR_SYNTAX;
    for (struct connection *c = worker->connections; c != NULL; c = c->next) {
        if (is_of_session(c, extend.session_id))
            c->expires_at = extend.expires_at;
    }
    return OK;
}

static void tell_ready(struct worker *worker)
{
    if (worker->ready_told || !secure_complete(worker))
        return;
    worker->ready_told = true;
    worker_accept_more(worker, true);
    report_ready(worker);
}

/* The message held a key: nothing of it stays in the channel's buffer. */
static enum error on_tls(struct worker *worker, const void *bytes, size_t length)
{
    struct ipc_tls tls;
    enum error error = ipc_decode_tls(bytes, length, &tls);

    if (error == OK)
        error = secure_install(worker, &tls);
    channel_wipe(worker->channel);
    if (error == OK)
        tell_ready(worker);
    return error;
}

static enum error on_message(struct worker *worker, const void *bytes, size_t length, int fd)
{
    enum ipc_type type = ipc_type_of(bytes, length);

    if (type == IPC_VERDICT)
        return on_verdict(worker, bytes, length, fd);
    if (type == IPC_LINK)
        return on_link(worker, bytes, length, fd);
    if (fd >= 0) {
        close(fd);
        return ERROR_SYNTAX;
    }
    switch (type) {
    case IPC_CUT_SESSION:
        return on_cut_session(worker, bytes, length);
    case IPC_CUT_SURFACE:
        return on_cut_surface(worker, bytes, length);
    case IPC_EXTEND:
        return on_extend(worker, bytes, length);
    case IPC_TLS:
        return on_tls(worker, bytes, length);
    case IPC_DRAIN:
        begin_drain(worker);
        return ipc_decode_bare(bytes, length);
    default:
        return ERROR_SYNTAX;
    }
}

static void on_channel(uv_poll_t *poll, int status, int events);

static void watch_channel(struct worker *worker)
{
    int events = UV_READABLE | (channel_wants_write(worker->channel) ? UV_WRITABLE : 0);

    if (events != worker->channel_events)
        uv_poll_start(&worker->channel_poll, events, on_channel);
    worker->channel_events = events;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
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
        if (on_message(worker, bytes, length, fd) != OK)
            worker_fail(worker, "the broker broke the protocol");
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now_ms = worker_now_ms(worker);
    int64_t now_s = (int64_t)time(NULL);
    struct connection *next;

    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        connection_tick(c, now_ms, now_s);
    }
    pool_expire(worker, false);
    if (now_ms / TICK_MS % (COUNTS_INTERVAL_MS / TICK_MS) == 0)
        report_counts(worker);
    if (worker->draining && now_ms >= worker->drain_deadline_ms)
        uv_stop(&worker->loop);
}

/* Once each turn of the loop, when no callback is on the stack. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;

    downstream_abort_pending(worker);
    connection_reap(worker);
    watch_channel(worker);
    if (worker->draining && worker->connections == NULL && !channel_wants_write(worker->channel))
        uv_stop(&worker->loop);
}

/* How many connections the surfaces permit and the descriptors allow. */
static enum error size_descriptors(struct worker *worker, size_t *descriptors)
{
    struct rlimit limit;
    size_t wanted = 0, each = DESCRIPTORS_PER_CONNECTION;
    size_t spare;

    for (size_t i = 0; i < worker->config->surface_count; i++) {
        wanted += worker->config->surfaces[i].limits.max_connections;
        if (worker->config->surfaces[i].tls != NULL)
            each = DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_OF_TLS;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    /* Beyond the surfaces' limits there is room for those about to be told so. */
    wanted += ACCEPT_SLACK;
    worker->waiting_max =
        limit.rlim_max / 8 < POOL_WAITING_MAX ? (size_t)limit.rlim_max / 8 : POOL_WAITING_MAX;
    spare = SPARE_DESCRIPTORS + worker->waiting_max;
    *descriptors = spare + each * wanted;
    if (*descriptors > limit.rlim_max)
        *descriptors = (size_t)limit.rlim_max;
    limit.rlim_cur = *descriptors;
    if (*descriptors <= spare || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    worker->connection_max = (*descriptors - spare) / each;
    return OK;
}

/*
 * Large messages come one after another: what one gave back the next takes,
 * and not new pages of the kernel's each time.
 */
static void keep_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_BYTES_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES_MAX);
}

static enum error allocate(struct worker *worker)
{
    enum error error;

    worker->surfaces = calloc(worker->config->surface_count, sizeof(*worker->surfaces));
    worker->idle = calloc(worker->config->surface_count, sizeof(*worker->idle));
    worker->read_buffer = malloc(PRE_BYTES + ANSWER_READ_BYTES);
    worker->write_buffer = malloc(WS_HEADER_MAX + READ_BYTES);
    worker->ipc_buffer = malloc(IPC_MESSAGE_BYTES_MAX);
    if (worker->surfaces == NULL || worker->idle == NULL || worker->read_buffer == NULL ||
        worker->write_buffer == NULL || worker->ipc_buffer == NULL)
        return ERROR_MEMORY;
    /* OpenSSL's generator seeds itself here, while it still may. */
    if (secret_random(worker->random, sizeof(worker->random)) != OK)
        return ERROR_CRYPTO;
    worker->random_left = sizeof(worker->random);
    error = secure_allocate(worker);
    if (error == OK)
        error = json_scan_create(&worker->scan);
    return error == OK ? vet_scratch_create(&worker->scratch) : error;
}

static enum error start_loop(struct worker *worker, const struct worker_options *options)
{
    enum error error = channel_create(options->channel_fd, &worker->channel);

    if (error != OK)
        return error;
    if (uv_loop_init(&worker->loop) != 0 ||
        uv_poll_init(&worker->loop, &worker->channel_poll, channel_fd(worker->channel)) != 0)
        return ERROR_IO;
    uv_timer_init(&worker->loop, &worker->tick);
    uv_prepare_init(&worker->loop, &worker->reaper);
    worker->channel_poll.data = worker->tick.data = worker->reaper.data = worker;
    uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    uv_prepare_start(&worker->reaper, on_prepare);
    return OK;
}

/* Everything that needs a system call the sandbox forbids happens in here. */
static enum error start(struct worker *worker, const struct worker_options *options)
{
    size_t descriptors;
    enum error error = size_descriptors(worker, &descriptors);

    keep_heap();
    if (error == OK)
        error = allocate(worker);
    if (error == OK)
        error = caller_lookup_create(&worker->callers);
    if (error == OK)
        error = start_loop(worker, options);
    if (error == OK)
        error = downstream_start(worker);
    if (error == OK)
        error = sandbox_enter(descriptors);
    if (error == OK)
        error = accept_start(worker, options);
    if (error == OK)
        tell_ready(worker);
    return error;
}

/* What no handle's end has released: connections that carry HTTP and have no link. */
static void drop_rest(struct worker *worker)
{
    struct connection *next;

    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        connection_release(c);
    }
}

/* Ends what is left at once: the process is about to exit. */
static void stop(struct worker *worker)
{
    worker->stopping = true;
    worker->draining = true; /* nothing that ends now makes room for another */
    report_counts(worker);
    accept_stop(worker);
    for (struct connection *c = worker->connections; c != NULL; c = c->next) {
        link_close(c);
        exchange_destroy(c);
        handshake_end(c);
        if (c->tls != NULL)
            tls_abort(c->tls);
    }
    pool_expire(worker, true);
    mcp_sessions_end_all(&worker->mcp_sessions, NULL);
    uv_close((uv_handle_t *)&worker->channel_poll, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->reaper, NULL);
    downstream_stop(worker);
    drop_rest(worker);
    connection_reap(worker);
    uv_loop_close(&worker->loop);
}

static void release(struct worker *worker)
{
    free(worker->listeners);
    free(worker->surfaces);
    free(worker->idle);
    free(worker->read_buffer);
    free(worker->write_buffer);
    free(worker->ipc_buffer);
    secure_release(worker);
    vet_scratch_destroy(worker->scratch);
    json_scan_destroy(worker->scan);
    caller_lookup_destroy(worker->callers);
    channel_destroy(worker->channel);
}

int worker_run(const struct worker_options *options)
{
    struct worker worker = {.config = options->config};
    enum error error = start(&worker, options);

    if (error == OK) {
        uv_run(&worker.loop, UV_RUN_DEFAULT);
        stop(&worker);
    } else {
        log_error("cannot start: %s", error_text(error));
    }
    release(&worker);
    return error == OK && !worker.failed ? 0 : EXIT_FAILED;
}
