/*
 * Talks to a running Sidelock: one HTTP/1.1 request over its control socket,
 * one answer. Blocking, with a deadline.
 */
#ifndef SIDELOCK_CLI_CLIENT_H
#define SIDELOCK_CLI_CLIENT_H

#include "base/buffer.h"
#include "base/text.h"

#define CLIENT_DEADLINE_MS      10000
#define CLIENT_ANSWER_BYTES_MAX (20 * 1024 * 1024)
#define CLIENT_PATH_BYTES_MAX   512
#define CLIENT_REASON_SIZE      64

/* Where Sidelock answers. The options that every verb with a client takes. */
struct client {
    const char *control; /* --control PATH */
    const char *config;  /* -c FILE */
    char *path;          /* found by client_open; owned */
    bool quiet;          /* say nothing of what goes wrong */
    char *reason;        /* CLIENT_REASON_SIZE for the code in a refusal; NULL: of no interest */
};

/*
 * Finds the control socket: --control, else -c, else $SIDELOCK_CONTROL, else the default
 * configuration. Returns EX_OK, or an exit code after saying why.
 */
int client_open(struct client *client);
void client_close(struct client *client);

/*
 * One request. EX_OK with the answer's body (the caller initialises, and wipes
 * it if it may hold a secret), or after one sentence on stderr: 69 nothing
 * answers, 77 refused, 65 the request was not acceptable, 1 anything else.
 */
int client_call(const struct client *client, const char *method, const char *path, struct span body,
                struct buffer *answer);

#endif
