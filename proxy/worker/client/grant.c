#include "worker/client/grant.h"

#include "worker/client/client.h"
#include "worker/client/held.h"
#include "worker/client/members.h"
#include "worker/client/reports.h"
#include "worker/client/room.h"

#include <string.h>
#include <unistd.h>

static enum error copy_list(const struct ipc_list *list, struct text_list *out)
{
    text_list_clear(out);
    for (uint32_t i = 0; i < list->count; i++) {
        enum error error = text_list_add(out, list->items[i], strlen(list->items[i]));

        if (error != OK)
            return error;
    }
    return OK;
}

enum reason grant_begin(struct connection *connection, const struct ipc_verdict *verdict)
{
    connection->admitted = true;
    connection_leave_lobby(connection);
    memcpy(connection->session_id, verdict->session_id, sizeof(connection->session_id));
    if (verdict->route >= connection->surface->route_count || verdict->offer == NULL)
        return REASON_INTERNAL;
    if (!members_join(connection))
        return REASON_OUT_OF_MEMORY;
    connection->route = &connection->surface->routes[verdict->route];
    connection->expires_at = verdict->expires_at;
    memcpy(connection->match_digest, verdict->match_digest, sizeof(connection->match_digest));
    connection->session_verbs_set = verdict->verbs.set;
    connection->session_targets_set = verdict->targets.set;
    if (copy_list(&verdict->verbs, &connection->session_verbs) != OK ||
        copy_list(&verdict->targets, &connection->session_targets) != OK)
        return REASON_INTERNAL;
    return room_take(connection);
}

static void tell_end(const struct connection *connection, enum reason reason)
{
    const struct client *client = connection->client;
    struct ipc_closed closed = {.connection = connection->id,
                                .surface = connection->surface_index,
                                .opened = connection->opened,
                                .reason = reason,
                                .close_code = connection->close_code,
                                .requests = connection->requests,
                                .messages_c2s = connection->messages[DIRECTION_C2S],
                                .messages_s2c = connection->messages[DIRECTION_S2C]};
    struct head_told told;

    if (!connection->opened && client != NULL) {
        head_tell(client->head, &client->asker, &told);
        closed.request_id = client->asker.request_id;
        closed.path = told.path;
        closed.host = told.host;
        closed.seen = client->seen;
    }
    worker_tell(connection->worker, IPC_CLOSED, &closed);
}

void grant_decline(struct worker *worker, const struct ipc_verdict *verdict, int fd)
{
    if (fd >= 0)
        close(fd);
    if (reason_allows(verdict->reason) && verdict->answer == NULL)
        worker_tell(worker, IPC_CLOSED,
                    &(struct ipc_closed){.connection = verdict->connection,
                                         .surface = verdict->surface,
                                         .reason = REASON_CLIENT_CLOSED});
}

void grant_end(struct connection *connection, enum reason reason)
{
    if (!connection->admitted)
        return;
    connection->reason = reason;
    tell_end(connection, reason);
    held_note(connection, 0);
    room_give(connection);
    reports_ended(connection->worker, connection->surface_index, connection->session_id);
    members_leave(connection);
    connection_stand(connection, NULL);
    connection->admitted = connection->opened = false;
    connection_enter_lobby(connection);
    connection->session_id[0] = '\0';
    connection->requests = 0;
    memset(connection->messages, 0, sizeof(connection->messages));
    connection_rename(connection);
}

struct handles *grant_handles(const struct connection *connection)
{
    return connection->worker->slots[connection->surface_index].handles;
}

struct vet_rules grant_rules(const struct connection *connection)
{
    struct vet_rules rules = vet_rules_of(connection->surface, connection->route->vocabulary);

    rules.handles = grant_handles(connection);
    rules.session_id = connection->session_id;
    if (connection->session_verbs_set)
        rules.session_verbs = &connection->session_verbs;
    if (connection->session_targets_set)
        rules.session_targets = &connection->session_targets;
    if (connection->match_digest[0] != '\0')
        rules.match_digest = connection->match_digest;
    return rules;
}

/* One that was refused; in observe mode, would have been. */
static void report(struct connection *connection, enum direction direction,
                   const struct vet_result *result)
{
    struct report_verdict verdict =
        reports_refused(connection->worker, connection->session_id,
                        &(struct ipc_refused){.connection = connection->id,
                                              .surface = connection->surface_index,
                                              .direction = (uint32_t)direction,
                                              .observed = result->action == VET_FORWARD,
                                              .reason = result->reason,
                                              .verb = result->verb,
                                              .target = result->target});

    if (verdict.cut)
        connection->quiet_until_ms = QUIET_FOR_EVER;
    else if (verdict.pause_ms > 0)
        connection->quiet_until_ms = worker_now_ms(connection->worker) + verdict.pause_ms;
}

void grant_note(struct connection *connection, enum direction direction,
                const struct vet_result *result)
{
    struct surface_counts *counts = &connection->worker->surfaces[connection->surface_index];

    if (!reason_allows(result->reason)) {
        counts->refused++;
        report(connection, direction, result);
    }
    if (result->gave_way > 0)
        quotas_counts(connection->worker->quotas, connection->surface_index)
            ->gave_way[QUOTA_HANDLES] += result->gave_way;
    if (result->action == VET_FORWARD) {
        connection->messages[direction]++;
        counts->forwarded++;
    }
}
