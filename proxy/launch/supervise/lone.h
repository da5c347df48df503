/*
 * The service that the parent asked for, which runs once and has the parent's own standard
 * descriptors; the only one of a launcher, if there is any.
 */
#pragma once

#include "ipc/errand.h"
#include "launch/supervise/life.h"

struct lone {
    int standard[ERRAND_STANDARDS]; /* -1: not given */
    char name[LIFE_NAME_SIZE];      /* of its surface; "": there is none */
    uint32_t slot;
    bool told; /* the broker has asked for it, too, and hears of it */
};

void lone_init(struct lone *lone);
void lone_clear(struct lone *lone);

/* STANDARD: keeps a copy of the descriptor. ERROR_SYNTAX: no parent of ours says so. */
enum error lone_take_standard(struct lone *lone, const struct errand *errand, int fd) MUST_CHECK;
/* ALONE, which is said once. */
enum error lone_begin(struct lone *lone, const struct errand *errand) MUST_CHECK;
/* Whether this is what is spoken of. */
bool lone_is(const struct lone *lone, const struct errand *errand);
/* Whether the broker hears of this one. */
bool lone_is_told(const struct lone *lone, const struct life *life);
