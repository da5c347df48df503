/*
 * Whether a service answers: a path of it is asked for with GET, again and again, until it answers
 * with a status of 200 to 399 or its time is over. Of an answer no more is read than
 * "HTTP/1.1 200 " (RFC 9112 section 4), and nothing is kept but the number. Everything happens in
 * callbacks of the loop.
 */
#pragma once

#include "config/config.h"
#include "launch/supervise/dialling.h"

#include <uv.h>

#define ASKING_TRY_MS       5000 /* what it has for one answer */
#define ASKING_PAUSE_MIN_MS 100  /* until it is asked again; twice as long each other time */
#define ASKING_PAUSE_MAX_MS 2000
#define ASKING_WHY_SIZE     (CONFIG_READY_BYTES_MAX + 128)

struct asking;

/* Whom it is about; borrowed until `ended` was called or it is cancelled. */
struct asking_subject {
    struct diallings *diallings;
    struct tree *tree;
    uint16_t port;
    const struct surface_readiness *ready;
    uint64_t *until_ms; /* of the loop's clock, when its time is over; 0: it begins now */
    /* It was asked in vain, and will be again. */
    void (*vain)(void *data, const char *why);
    /* Nobody listens on the port any more: to be cancelled. */
    void (*lost)(void *data);
    /* Called once. `why` is "" if it has answered; else its time is over. */
    void (*ended)(void *data, const char *why);
    void *data;
};

/* NULL without memory. `subject->ready` need not stay. */
struct asking *asking_begin(const struct asking_subject *subject);
/* Nothing is told any more. Takes NULL. */
void asking_cancel(struct asking *asking);
