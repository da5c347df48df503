/* Many connections that are watched together, each with the token that is its turn. */
#pragma once

#include "client.h"
#include "options.h"

typedef char mcp_session_id[CLIENT_SESSION_SIZE];

struct crowd {
    const struct options *options; /* borrowed */
    int epoll;                     /* each client's data.ptr is itself */
    struct client *clients;
    unsigned opened, room;
    const mcp_session_id *sessions; /* borrowed: options->sessions of them, those of the token whose
                                       turn is t at t, t + token_count, ...; NULL: none are used */
};

/* Room for so many; false without memory. crowd_destroy() in any case. */
bool crowd_create(struct crowd *crowd, const struct options *options, unsigned room);
void crowd_destroy(struct crowd *crowd);

/* Opens so many more; false is said on stderr. */
bool crowd_open(struct crowd *crowd, const struct client_target *target, unsigned count);

/* Sends a client's next request, where there are MCP sessions in the next of its token's. */
bool crowd_send(const struct crowd *crowd, struct client *client);

/*
 * Waits for what has arrived: how many events there are, -1 where nothing has for ten
 * seconds, which is said on stderr.
 */
struct epoll_event;
int crowd_wait(const struct crowd *crowd, struct epoll_event *events, int most);
