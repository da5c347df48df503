/*
 * The spawner: a small process without fences that makes trees, forked before its parent parses
 * anything. It reads no byte of what is to be run. With it, all its trees end; with its parent,
 * it ends.
 */
#pragma once

#include "base/error.h"

#include "launch/keeper/leader.h"

#include <stdint.h>

enum spawner_ask_type {
    SPAWNER_MAKE = 1, /* a tree */
    SPAWNER_FORGET    /* nothing is left of it: no answer */
};

/* Beside MAKE: the packed command, the keeper's end of its channel, the standard ones given, and
 * where what the tree does is told, if that is given. */
struct spawner_ask {
    uint32_t type, number;
    uint32_t standard;              /* bit i: descriptor i is given */
    uint32_t record;                /* 1: that is given */
    uint32_t relay;                 /* 1: the tree's program is the relay; 0: the command's */
    uint32_t memory_mib, processes; /* what it may use; 0: as much as there is */
};

/* Beside it, if all is well: a pidfd of the keeper; and the directory of its control group, if it
 * has one. */
struct spawner_word {
    uint32_t number;
    int32_t error; /* errno */
};

/*
 * Forks it. `channel` is the parent's end, which does not block. `relay` (NULL: there is none) is
 * what a tree does that is asked for so, instead of becoming another program. To be called once,
 * by a process that has one thread and will not lose it.
 */
enum error spawner_start(int *channel, leader_program *relay) MUST_CHECK;
