/* Where a surface of a running Sidelock is, and which of its routes to use. */
#ifndef SIDELOCK_CLI_PLACE_H
#define SIDELOCK_CLI_PLACE_H

#include "cli/client.h"

#include <stdint.h>

#define PLACE_PATH_BYTES_MAX 2048

struct place_wish {
    const char *surface;
    const char *path; /* with a query, if you like; NULL: any route without a hole in its path */
    bool websocket;   /* no other kind will do */
};

struct place {
    char surface[65];
    char address[64]; /* "127.0.0.1:8081", "[::1]:8081" */
    char host[320];   /* what the Host header must say */
    bool tls;
    char pin[65];             /* SHA-256 of the certificate, hex; "": none */
    bool websocket, mcp_http; /* neither: a plain HTTP route */
    char path[PLACE_PATH_BYTES_MAX];
    char subprotocol[64]; /* of a WebSocket; "": none */
    uint32_t max_message_bytes;
};

/*
 * Asks, and chooses the mcp-http route, rather /mcp than another, else the
 * WebSocket that speaks mcp, else another. EX_OK, or an exit code after saying
 * why not.
 */
int place_find(const struct client *client, const struct place_wish *wish, struct place *out);

#endif
