/*
 * The worker processes: started, listened to, told, replaced when they die.
 * What they say goes to whoever was named for it; what they are told is in tell.h.
 */
#pragma once

#include "broker/core/tell.h"
#include "broker/core/workers_options.h"
#include "system/proof.h"

#include <sys/types.h>

/* Starts config->workers of them. */
enum error workers_create(const struct workers_options *options, struct workers **out) MUST_CHECK;
/* Kills what still runs, and waits for its end. */
void workers_destroy(struct workers *workers);

/* A worker is sandboxed and accepts; the descriptor of what it found out is taken over. */
void workers_take_ready(struct workers *workers, struct incarnation from,
                        const struct proof *proof);
/*
 * What the worker in this place found out, and its process id; NULL: none is ready there. The
 * places are those below the configuration's `workers`.
 */
const struct proof *workers_proof(const struct workers *workers, unsigned worker, pid_t *pid);
/* The parent has started it, or (no `pid`) could not; `pidfd` is taken over. */
void workers_take_spawned(struct workers *workers, unsigned worker, pid_t pid, int pidfd);
/* It has ended, says the parent. */
void workers_take_ended(struct workers *workers, unsigned worker, int status);
/* Asks all to say goodbye to their clients and exit. */
void workers_drain(struct workers *workers);
/* How many had to be replaced. */
uint64_t workers_restarts(const struct workers *workers);
