/*
 * One client connection: the upgrade, then 300-byte tools/call requests, each
 * with an id of its own, and their answers.
 */
#ifndef SIDELOCK_BENCH_CLIENT_H
#define SIDELOCK_BENCH_CLIENT_H

#include "ws.h"

#define CLIENT_MESSAGE_BYTES       300
#define CLIENT_BUFFER_BYTES        1024
#define CLIENT_HANDSHAKE_TIMEOUT_S 10
#define CLIENT_TOKEN_BYTES_MAX     4096

/* Where the connections go. Borrowed strings. */
struct client_target {
    const char *socket_path; /* a Unix socket; NULL: the port */
    unsigned port;           /* on 127.0.0.1 */
    const char *path;        /* of the request */
    const char *token;       /* bearer token; NULL: none is sent */
    const char *tool;        /* the tool every request calls */
};

struct client {
    int fd; /* owned; -1 when closed */
    uint32_t mask;
    uint64_t id;
    uint64_t sent_ns; /* when the outstanding request was written */
    size_t have;
    uint8_t bytes[CLIENT_BUFFER_BYTES];
};

enum client_event {
    CLIENT_FAILED = -1, /* closed, or an answer that is not ours; said on stderr */
    CLIENT_WAITING = 0,
    CLIENT_ANSWERED, /* the result for the outstanding id */
    CLIENT_REFUSED,  /* a JSON-RPC error instead */
};

/*
 * Connects and asks for the upgrade, blocking. Returns the HTTP status, 0 if
 * there was no proper answer (said on stderr). The connection is open, and from
 * then on non-blocking, only with 101. `number` makes its ids unlike all others'.
 */
unsigned client_open(struct client *client, const struct client_target *target, unsigned number);
void client_close(struct client *client);

/* Writes the next request; false if it could not be written whole. */
bool client_send(struct client *client, const char *tool);

/* Reads what has arrived. Answers pings. */
enum client_event client_receive(struct client *client);

uint64_t client_now_ns(void);

#endif
