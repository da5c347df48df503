/*
 * The keeper: the first process of a tree's PID namespace. It holds the private network namespace,
 * answers the calls that the filter puts to it, connects to the tree's ports, reaps what the tree
 * leaves behind, and with it the tree ends: when it is killed, its spawner ends, its parent closes
 * the channel, or the service's first process exits. Nobody of the tree can signal or trace it.
 * It knows no secret but the service's own environment, and that until the service runs.
 *
 * What it and its parent say to each other, each a message of its struct:
 *
 *     parent                               keeper
 *        ◀─────────────────────────── STARTED    the service's program runs,
        │                                          and which of its fences hold
 *        ◀─────────────────────────── FAILED     it does not: which step, errno. The end
 *        ◀─────────────────────────── PORT       the tree has bound one
 *        ◀─────────────────────────── REFUSED    a call was refused that may be honest
 *     DIAL number, port ────────────▶            0: the first that listens
 *        ◀─────────────────────────── DIALED     with the descriptor, connected or connecting
 *     ENTER number ─────────────────▶
 *        ◀─────────────────────────── DIALED     with the private network (setns(2))
 *     LIST number ──────────────────▶
 *        ◀─────────────────────────── PORT …, LISTED
 *     SIGNAL signal ────────────────▶            to the service's first process
 *        ◀─────────────────────────── EXITED     it did: its wait status. The end
 */
#pragma once

#include "base/error.h"

#include "launch/calls/state.h"
#include "launch/common/ports.h"
#include "launch/keeper/keeper_options.h"

#include <stdint.h>

enum keeper_ask_type { KEEPER_DIAL = 1, KEEPER_LIST, KEEPER_SIGNAL, KEEPER_ENTER };

struct keeper_ask {
    uint32_t type, number;
    uint32_t value; /* port or signal */
};

enum keeper_word_type {
    KEEPER_STARTED = 1,
    KEEPER_FAILED,
    KEEPER_PORT,
    KEEPER_REFUSED,
    KEEPER_DIALED,
    KEEPER_LISTED,
    KEEPER_EXITED
};

struct keeper_word {
    uint32_t type, number;
    int32_t
        value; /* errno, a wait status (waitpid(2)), or the first process's id in its namespace */
    uint32_t step; /* enum launch_step */
    struct port port;
    struct refusal refusal;
    struct proof proof; /* of the first process's fences; its descriptor comes along, if any */
};

/* In the child of nest_clone(). */
_Noreturn void keeper_run(const struct keeper_options *options);
