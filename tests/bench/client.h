/*
 * One client connection, by WebSocket or by HTTP with keep-alive: 300-byte
 * or larger tools/call requests, each with an id of its own, and their answers.
 */
#pragma once

#include "call.h"
#include "stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_BUFFER_BYTES      1024
#define CLIENT_TOKEN_BYTES_MAX   4096
#define CLIENT_REQUEST_BYTES_MAX (4U << 20)
#define CLIENT_SESSION_SIZE      32 /* an Mcp-Session-Id of the service, with its end */

/* Where the connections go, and what they ask for. Borrowed strings. */
struct client_target {
    struct stream_target stream;
    const char *path;     /* of the request */
    const char *tool;     /* the tool every request calls */
    bool http;            /* POST each request instead of upgrading */
    size_t result_bytes;  /* of each answer; 0: as the service likes */
    size_t request_bytes; /* of each request over WebSocket; 0: CALL_BYTES */
};

struct client {
    const struct client_target *target; /* borrowed */
    const char *token;                  /* bearer token, borrowed; NULL: none is sent */
    struct stream stream;               /* owned */
    unsigned status;                    /* of the last HTTP answer; 0: there was no proper one */
    uint32_t mask;
    uint64_t id;
    uint64_t sent_ns; /* when the outstanding request was written */
    size_t have;
    size_t body_left;                  /* of an answer whose start was judged, still to come */
    char session[CLIENT_SESSION_SIZE]; /* the MCP session of what is sent next; "": none */
    bool initializes;
    uint8_t bytes[CLIENT_BUFFER_BYTES];
};

enum client_event {
    CLIENT_FAILED = -1, /* closed, or an answer that is not ours; said on stderr */
    CLIENT_WAITING = 0,
    CLIENT_ANSWERED, /* the result for the outstanding id */
    CLIENT_REFUSED,  /* a JSON-RPC error instead */
    CLIENT_DENIED,   /* over HTTP, another status than 200 and no JSON-RPC error */
};

/*
 * Connects, blocking, and over WebSocket asks for the upgrade. True: the
 * connection is open and from then on non-blocking; false is said on stderr, but
 * for an upgrade that was answered with another status. `number` makes its ids
 * unlike all others'.
 */
bool client_open(struct client *client, const struct client_target *target, const char *token,
                 unsigned number);

/* Connects and GETs a stream of events, blocking, until the first has come. */
bool client_open_stream(struct client *client, const struct client_target *target,
                        const char *token);

void client_close(struct client *client);

/* Writes the next request; false if it could not be written whole. */
bool client_send(struct client *client);

/* Reads what has arrived. Answers pings. */
enum client_event client_receive(struct client *client);

/* Sends a request and waits for its answer. */
enum client_event client_call(struct client *client);

/* Over HTTP, opens an MCP session: `client->session`. False is said on stderr. */
bool client_initialize(struct client *client);

uint64_t client_now_ns(void);
