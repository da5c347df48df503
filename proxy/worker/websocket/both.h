/* What a WebSocket is made of: websocket.c owns it. */
#pragma once

#include "worker/client/connection.h"
#include "worker/websocket/side.h"

#include "vet/ahead.h"
#include "vet/salvage.h"

enum websocket_state {
    WEBSOCKET_LINKING = 0, /* the service has been asked for its 101 */
    WEBSOCKET_OPEN,        /* both are up */
    WEBSOCKET_LAST_WORDS, /* the client has said its last, what the service answers still goes to it
                           */
    WEBSOCKET_CLOSING,    /* nothing is forwarded any more; close frames are under way */
};

struct websocket {
    struct side service, client;
    struct connection *connection;
    struct upgrade *upgrade; /* owned; NULL once open */
    struct vet_state *vet;   /* owned */
    struct json_scan *ahead; /* of a long answer that is coming; owned; NULL: of none */
    struct salvage *salvage; /* of an answer that is beyond the limit; owned; NULL: of none */
    uint64_t active_ms, pinged_ms;
    enum websocket_state state;
    enum reason last_reason; /* with LAST_WORDS: why, and what the client is told in the end */
    unsigned last_code;
    unsigned service_pings; /* the service's, whose pongs it is owed */
    bool ping_outstanding;  /* the gate's own */
};
