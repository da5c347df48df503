#include "worker/client/to_broker.h"

static struct ipc_writer open_writer(struct worker *worker)
{
    return (struct ipc_writer){.bytes = worker->ipc_buffer};
}

void tell_ready(struct worker *worker)
{
    struct ipc_writer writer = open_writer(worker);

    ipc_encode_bare(&writer, IPC_READY);
    worker_tell(worker, &writer);
}

void ask_admission(struct connection *connection, const struct ipc_admit *admit)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_admit(&writer, admit);
    worker_tell(connection->worker, &writer);
}

void ask_link(struct connection *connection, const struct ipc_dial *dial)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_dial(&writer, dial);
    worker_tell(connection->worker, &writer);
}

void tell_denied(struct connection *connection, const struct asker *asker, enum reason reason,
                 const char *query)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_denied(&writer,
                      &(struct ipc_denied){
                          .surface = connection->surface_index,
                          .reason = reason,
                          .caller_known = connection->caller_known,
                          .caller_uid = connection->caller_uid,
                          .path = asker->path,
                          .query = query,
                          .request_id = asker->request_id,
                          .session_id = connection->admitted ? connection->session_id : NULL,
                      });
    worker_tell(connection->worker, &writer);
}

void tell_refused(struct connection *connection, enum direction direction,
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
    worker_tell(connection->worker, &writer);
}

void tell_closed(struct connection *connection)
{
    struct ipc_writer writer = open_writer(connection->worker);

    ipc_encode_closed(&writer, &(struct ipc_closed){
                                   .connection = connection->id,
                                   .surface = connection->surface_index,
                                   .opened = connection->opened,
                                   .reason = connection->reason,
                                   .close_code = connection->close_code,
                                   .session_id = connection->session_id,
                                   .requests = connection->requests,
                                   .messages_c2s = connection->messages[DIRECTION_C2S],
                                   .messages_s2c = connection->messages[DIRECTION_S2C],
                               });
    worker_tell(connection->worker, &writer);
}

void tell_counts(struct worker *worker)
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
        worker_tell(worker, &writer);
    }
}
