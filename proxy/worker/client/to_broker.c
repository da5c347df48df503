#include "worker/http/exchange.h"

static struct ipc_writer open_writer(struct worker *worker)
{
    return (struct ipc_writer){.bytes = worker->ipc_buffer};
}

static void send_report(struct worker *worker, const struct ipc_writer *writer)
{
    if (!worker->failed && channel_send(worker->channel, writer, -1) != OK)
        worker_fail(worker, "a report could not be sent");
}

void report_ready(struct worker *worker)
{
    struct ipc_writer writer = open_writer(worker);

    ipc_encode_bare(&writer, IPC_READY);
    send_report(worker, &writer);
}

void report_admit(struct connection *connection, const struct ipc_admit *admit)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_admit(&writer, admit);
    send_report(connection->worker, &writer);
}

void report_dial(struct connection *connection, const struct ipc_dial *dial)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_dial(&writer, dial);
    send_report(connection->worker, &writer);
}

void report_denied(struct connection *connection, enum reason reason, const char *query)
{
    const struct handshake *handshake = connection->handshake;
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_denied(&writer,
                      &(struct ipc_denied){
                          .surface = connection->surface_index,
                          .reason = reason,
                          .caller_known = connection->caller_known,
                          .caller_uid = connection->caller_uid,
                          .path = handshake->path[0] != '\0' ? handshake->path : NULL,
                          .query = query,
                          .request_id = handshake->request_id,
                          .session_id = connection->admitted ? connection->session_id : NULL,
                      });
    send_report(connection->worker, &writer);
}

void report_refused(struct connection *connection, enum direction direction,
                    const struct vet_result *result)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_refused(&writer, &(struct ipc_refused){
                                    .connection = connection->id,
                                    .surface = connection->surface_index,
                                    .direction = (uint32_t)direction,
                                    .observed = result->action == VET_FORWARD,
                                    .reason = result->reason,
                                    .session_id = connection->session_id,
                                    .verb = result->verb,
                                    .target = result->target,
                                });
    send_report(connection->worker, &writer);
}

void report_closed(struct connection *connection)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_closed(
        &writer, &(struct ipc_closed){
                     .connection = connection->id,
                     .surface = connection->surface_index,
                     .opened = connection->opened,
                     .reason = connection->reason,
                     .close_code = connection->close_code,
                     .session_id = connection->session_id,
                     .requests = connection->exchange != NULL ? connection->exchange->requests : 0,
                     .messages_c2s = connection->messages[DIRECTION_C2S],
                     .messages_s2c = connection->messages[DIRECTION_S2C],
                 });
    send_report(connection->worker, &writer);
}

void report_counts(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->config->surface_count; i++) {
        struct surface_counts *counts = &worker->surfaces[i];
        struct ipc_writer writer = open_writer(worker);

        if (counts->forwarded == 0 && counts->refused == 0)
            continue;
        ipc_encode_counts(&writer, &(struct ipc_counts){.surface = i,
                                                        .forwarded = counts->forwarded,
                                                        .refused = counts->refused});
        counts->forwarded = counts->refused = 0;
        send_report(worker, &writer);
    }
}
