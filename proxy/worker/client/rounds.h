/*
 * When connections are looked at, for what is overdue: those that are awake in every round; those
 * at rest when something of theirs is due, and at the latest after ROUNDS of them. So a round costs
 * what happens, not how many there are.
 */
#pragma once

#include "worker/client/connection.h"

#define ROUND_MS 100

/* A round; once every ROUND_MS. */
void rounds_go_on(struct worker *worker, uint64_t now_ms, int64_t now_s);
