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

struct probe {
    struct probe *next; /* newer ones */
    const struct probe_listener *listener;
    uv_poll_t poll;
    int fd;
    enum probe_state state;
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
/* It waits for the broker. */
void probe_wait(struct probe *probe);
/* Answers by its verdict. */
void probe_answer(struct probe *probe, const struct probe_facts *facts);
/* Ends it at once; over() comes later. */
void probe_end(struct probe *probe);
void probe_destroy(struct probe *probe);
