/*
 * The worker processes: started, listened to, told, replaced when they die.
 * What they say goes to whoever was named for it; what they are told is in tell.h.
 */
#pragma once

#include "broker/core/tell.h"
#include "broker/core/workers_options.h"

/* Starts config->workers of them. */
enum error workers_create(const struct workers_options *options, struct workers **out) MUST_CHECK;
/* Kills what still runs. */
void workers_destroy(struct workers *workers);

/* A worker is sandboxed and accepts. */
void workers_take_ready(struct workers *workers, struct incarnation from);
/* Reaps children after SIGCHLD. */
void workers_reap(struct workers *workers);
/* Asks all to say goodbye to their clients and exit. */
void workers_drain(struct workers *workers);
/* How many had to be replaced. */
uint64_t workers_restarts(const struct workers *workers);
