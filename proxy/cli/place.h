/* Where a surface of a running Sidelock is, and which of its routes to use. */
#pragma once

#include "cli/gate.h"
#include "connect/bridge/control.h"

struct place_wish {
    const char *surface;
    const char *path; /* with a query, if you like; NULL: any route without a hole in its path */
    bool websocket;   /* no other kind will do */
};

struct place {
    struct connect_place at; /* without certificates of the client's own */
    const char *surface;     /* as it was wished for */
    bool tls, mcp;           /* mcp: a route that messages are sent on */
};

/*
 * Asks, and chooses the mcp-http route, rather /mcp than another, else the
 * WebSocket that speaks mcp, else another. EX_OK, or an exit code after saying
 * why not.
 */
int place_find(struct gate *gate, const struct place_wish *wish, struct place *out);
