#include "worker/websocket/beats.h"

#include "worker/client/rates.h"

#include <string.h>

#define GATE_PING       "sidelock" /* payload of the gate's own pings */
#define GATE_PING_BYTES (sizeof(GATE_PING) - 1)

static void take_pong(struct websocket *websocket, const struct ws_whole *pong)
{
    if (websocket->ping_outstanding && pong->length == GATE_PING_BYTES &&
        memcmp(pong->data, GATE_PING, GATE_PING_BYTES) == 0) {
        websocket->ping_outstanding = false;
    } else if (websocket->service_pings > 0) {
        websocket->service_pings--;
        side_send(&websocket->service, WS_PONG, pong->data, pong->length);
    }
}

void beats_take(struct websocket *websocket, enum direction from, const struct ws_whole *beat)
{
    if (from == DIRECTION_C2S)
        rates_owe(websocket->connection, ALLOWANCE_MESSAGES, 1);
    if (from == DIRECTION_C2S && beat->opcode == WS_PING) {
        side_send(&websocket->client, WS_PONG, beat->data, beat->length);
    } else if (from == DIRECTION_C2S) {
        take_pong(websocket, beat);
    } else if (beat->opcode == WS_PING) {
        websocket->service_pings++;
        side_send(&websocket->client, WS_PING, beat->data, beat->length);
    }
}

void beats_ping(struct websocket *websocket)
{
    websocket->ping_outstanding = true;
    side_send(&websocket->client, WS_PING, (const unsigned char *)GATE_PING, GATE_PING_BYTES);
}
