/*
 * The devices of a tree whose writes are limited: a node opens nothing anywhere, neither to write
 * nor to read, but those that every program relies on, the tree's own terminals, and what its
 * command names below /dev. Nodes are made by nobody who is in a tree.
 */
#pragma once

#include "base/error.h"

#define DEVICES_DIRECTORY "/dev"
#define DEVICES_KEPT      8

struct devices {
    int copies[DEVICES_KEPT]; /* as they were; -1: it is not there */
};

/* Before mounts lose them. ERROR_IO: errno. */
enum error devices_keep(struct devices *out) MUST_CHECK;
/* After. */
enum error devices_lay(const struct devices *devices) MUST_CHECK;
void devices_clear(struct devices *devices);
