/*
 * What `connect` asks of the control socket: where a surface is, and a session for
 * it. Whoever runs it brings the functions.
 */
#pragma once

#include "base/secret.h"
#include "policy/token.h"

#include <netinet/in.h>

#define CONNECT_PATH_BYTES_MAX 2048
#define CONNECT_HOST_BYTES_MAX 320

/* How asking went. */
enum connect_answer {
    CONNECT_LATER = 0, /* nobody answers: ask again */
    CONNECT_DONE,
    CONNECT_ENDED,   /* of a renewal: that session is over, another may be made */
    CONNECT_REFUSED, /* asking again is no use; it has been said why */
};

/* A session for the gate. */
struct connect_pass {
    char id[TOKEN_ID_SIZE]; /* "": none */
    char token[TOKEN_BYTES_MAX + 1];
    int64_t lifetime_ms; /* from when it was made or renewed */
};

enum connect_transport { CONNECT_WEBSOCKET = 1, CONNECT_HTTP };

/* Where the surface is and how to speak to it. */
struct connect_place {
    enum connect_transport transport;
    struct sockaddr_storage address;
    char host[CONNECT_HOST_BYTES_MAX]; /* for the Host header */
    char path[CONNECT_PATH_BYTES_MAX]; /* with a query, if it has one */
    char subprotocol[64];              /* "": none */
    uint32_t max_message_bytes, max_answer_bytes;
    char pin[SHA256_HEX_SIZE];     /* of the gate's certificate; "": no TLS */
    const char *certificate, *key; /* PEM files for TLS, of the client's own; NULL: none */
};

/* May block. Called from one thread at a time, not always the same. */
struct connect_control {
    void *context;
    enum connect_answer (*locate)(void *context, struct connect_place *out);
    enum connect_answer (*create)(void *context, struct connect_pass *out);
    enum connect_answer (*renew)(void *context, const char *id, struct connect_pass *out);
    void (*revoke)(void *context, const char *id);
};
