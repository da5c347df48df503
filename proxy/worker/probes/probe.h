/* One connection to the telemetry page, which carries one request. */
#pragma once

#include "worker/probes/probe_request.h"

#include <uv.h>

enum probe_state {
    PROBE_READING = 0, /* the head */
    PROBE_WAITING,     /* for what the broker says */
    PROBE_SENDING,
    PROBE_PARTING, /* all was sent; the other end may read it */
    PROBE_OVER,    /* its handle is being closed */
};

/* From where it comes: those of one share what one may have. */
struct probe_peer {
    enum { PEER_USER = 0, PEER_HOST, PEER_ADDRESS, PEER_NETWORK } kind;
    uint64_t number; /* the user at a socket; the address as it is on the wire */
};

struct probe {
    struct probe *next; /* newer ones */
    const struct probe_listener *listener;
    uv_poll_t poll;
    int fd;
    enum probe_state state;
    struct probe_peer peer;
    uint64_t deadline_ms; /* of the state */
    struct probe_verdict verdict;
    struct buffer in, out;
    size_t sent;
};

/* Who has it. */
struct probe_listener {
    void (*judge)(struct probe *probe, const struct http_request *request); /* its head is there;
                                                                              NULL: it is none */
    void (*over)(struct probe *probe); /* nothing is left of it but its memory */
    void *context;
};

/* Takes over the descriptor, in any case. NULL: there is no room. */
struct probe *probe_create(uv_loop_t *loop, int fd, const struct probe_listener *listener);
/* Reads what is there already, once whoever has it knows it. */
void probe_begin(struct probe *probe);
/* It waits for the broker. */
void probe_wait(struct probe *probe);
/* Answers by its verdict. */
void probe_answer(struct probe *probe, const struct probe_facts *facts);
/* Ends it at once; over() comes later. */
void probe_end(struct probe *probe);
void probe_destroy(struct probe *probe);
