#include "worker/websocket/coming.h"

#include "worker/client/grant.h"

#include <stdlib.h>

void coming_forget(struct websocket *websocket)
{
    json_scan_destroy(websocket->ahead);
    websocket->ahead = NULL;
}

void coming_look(struct websocket *websocket)
{
    const struct ws_reader *reader = &websocket->service.reader;

    if (reader->message.length >= VET_AHEAD_BYTES_MIN && !reader->in_pieces &&
        reader->kind == WS_TEXT) {
        const struct vet_rules rules = grant_rules(websocket->connection);

        vet_ahead(&websocket->ahead, &rules,
                  (struct span){(const char *)reader->message.data + ASSEMBLY_HEADROOM,
                                reader->message.length});
    }
}

bool coming_piece(struct websocket *websocket, const struct ws_whole *piece, bool last,
                  struct vet_result *result)
{
    struct connection *connection = websocket->connection;
    const struct vet_rules rules = grant_rules(connection);

    coming_forget(websocket);
    if (websocket->salvage == NULL)
        websocket->salvage = calloc(1, sizeof(*websocket->salvage));
    if (websocket->salvage == NULL) {
        connection_drop(connection, REASON_OUT_OF_MEMORY);
        return false;
    }
    salvage_read(websocket->salvage, (struct span){(const char *)piece->data, piece->length});
    if (!last)
        return false;
    vet_too_big(websocket->vet, connection->worker->scratch, &rules, websocket->salvage, result);
    free(websocket->salvage);
    websocket->salvage = NULL;
    return true;
}
