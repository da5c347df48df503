#include "worker/client/process.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(QUESTIONS_WAITING_BYTES_MAX + IPC_MESSAGE_BYTES_MAX <
                   CHANNEL_QUEUE_BYTES_MAX / 4 * 3,
               "the ends of all grants find room");

enum error worker_allocate(struct worker *worker)
{
    enum error error;

    worker->surfaces = calloc(CONFIG_SLOTS_MAX, sizeof(*worker->surfaces));
    worker->read_buffer = malloc(ASSEMBLY_HEADROOM + ANSWER_READ_BYTES);
    worker->write_buffer = malloc(WS_HEADER_MAX + READ_BYTES);
    worker->ipc_buffer = malloc(IPC_MESSAGE_BYTES_MAX);
    if (worker->surfaces == NULL || worker->read_buffer == NULL || worker->write_buffer == NULL ||
        worker->ipc_buffer == NULL)
        return ERROR_MEMORY;
    /* OpenSSL's generator seeds itself here, while it still may. */
    error = secret_pool_fill(&worker->random);
    if (error != OK)
        return error;
    error = json_scan_create(&worker->scan);
    if (error == OK)
        error = vet_scratch_create(&worker->scratch);
    if (error == OK)
        error = quotas_create(CONFIG_SLOTS_MAX, &worker->quotas);
    return error == OK ? allowances_create(&worker->allowances) : error;
}

void worker_release(struct worker *worker)
{
    free(worker->surfaces);
    hash_clear(&worker->by_id);
    hash_clear(&worker->reported);
    quotas_destroy(worker->quotas);
    allowances_destroy(worker->allowances);
    free(worker->read_buffer);
    free(worker->write_buffer);
    free(worker->ipc_buffer);
    vet_scratch_destroy(worker->scratch);
    json_scan_destroy(worker->scan);
    channel_destroy(worker->channel);
}

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
    if (secret_pool_take(&worker->random, out, length) != OK) {
        worker_fail(worker, "no random bytes");
        memset(out, 0, length);
    }
}

/* How much may wait for the broker already when a message of this kind is sent. */
static size_t patience_bytes(enum ipc_type type)
{
    switch (type) {
    case IPC_REFUSED:
    case IPC_SUPPRESSED:
    case IPC_COUNTS:
    case IPC_VITALS:
        return REPORTS_WAITING_BYTES_MAX;
    case IPC_ADMIT:
    case IPC_DIAL:
    case IPC_DENIED:
    case IPC_SCRAPE:
        return QUESTIONS_WAITING_BYTES_MAX;
    default:
        return CHANNEL_QUEUE_BYTES_MAX;
    }
}

/* What is told of many at once, and asks for nothing: it goes at the end of the loop's turn. */
static bool may_wait(enum ipc_type type)
{
    return type == IPC_REFUSED || type == IPC_SUPPRESSED || type == IPC_CLOSED ||
           type == IPC_COUNTS || type == IPC_VITALS;
}

/* A client that went by itself: nobody waits to hear of it, as whoever kills or revokes does. */
static bool has_time(enum ipc_type type, const void *message)
{
    return type == IPC_CLOSED &&
           ((const struct ipc_closed *)message)->reason == REASON_CLIENT_CLOSED;
}

static bool send_to_broker(struct worker *worker, enum ipc_type type, const void *message, int fd)
{
    struct ipc_writer writer = {.bytes = worker->ipc_buffer};
    enum error error;

    ipc_encode(&writer, type, message);
    worker->urgent = worker->urgent || !has_time(type, message);
    if (may_wait(type))
        error = channel_gather(worker->channel, &writer);
    else if (fd >= 0)
        error = channel_show(worker->channel, &writer, fd);
    else
        error = channel_send(worker->channel, &writer, -1);
    if (error != OK && !(fd >= 0 && error == ERROR_LIMIT))
        worker_fail(worker, "the broker is gone");
    return error == OK;
}

void worker_flush(struct worker *worker)
{
    if (channel_wants_write(worker->channel) && !channel_blocked(worker->channel) &&
        !worker->urgent && !worker->draining && !worker->stopping)
        return;
    worker->urgent = false;
    if (channel_flush(worker->channel) != OK)
        worker_fail(worker, "the broker is gone");
}

static bool may_tell(const struct worker *worker, enum ipc_type type)
{
    return !worker->failed && channel_waiting_bytes(worker->channel) <= patience_bytes(type);
}

bool worker_tell(struct worker *worker, enum ipc_type type, const void *message)
{
    return may_tell(worker, type) && send_to_broker(worker, type, message, -1);
}

bool worker_ask(struct worker *worker, enum ipc_type type, const void *message, int fd)
{
    return fd >= 0 && may_tell(worker, type) && send_to_broker(worker, type, message, fd);
}

void worker_tell_ready(struct worker *worker, struct proof *proof)
{
    const struct ipc_ready ready = {
        .landlock = proof->landlock, .tried = proof->tried, .refused = proof->refused};

    if (proof->status < 0) {
        worker_tell(worker, IPC_READY, &ready);
        return;
    }
    worker_ask(worker, IPC_READY, &ready, proof->status);
    close(proof->status);
    proof->status = -1;
}
