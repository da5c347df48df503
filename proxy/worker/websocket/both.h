/* What a WebSocket is made of: websocket.c owns it. */
#pragma once

#include "worker/client/connection.h"
#include "worker/websocket/downstream.h"
#include "worker/websocket/service.h"

enum websocket_state {
    WEBSOCKET_LINKING = 0, /* the service has been asked for its 101 */
    WEBSOCKET_OPEN,        /* both are up */
    WEBSOCKET_CLOSING,     /* nothing is forwarded any more; close frames are under way */
};

struct websocket {
    struct service service;
    struct downstream client;
    struct connection *connection;
    struct upgrade *upgrade; /* owned; NULL once open */
    struct vet_state *vet;   /* owned */
    uint64_t active_ms, pinged_ms;
    enum websocket_state state;
    unsigned service_pings; /* the service's, whose pongs it is owed */
    bool ping_outstanding;  /* the gate's own */
};
