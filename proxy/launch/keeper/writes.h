/*
 * What a tree may write, where that is limited: every mount is made read-only, and what its command
 * names is laid over as it was. So no file elsewhere is made, changed, cut off, moved or removed,
 * nor its mode, owner, times or attributes changed, whoever does it, and no device is opened but a
 * few (devices.h); pipes and sockets can be written to as ever, and so can /proc. What is in /tmp,
 * /var/tmp and /dev/shm is the tree's own, unless the command names something there, and at most a
 * fifth of the memory each.
 */
#pragma once

#include "base/error.h"

#include "launch/common/command.h"

enum error writes_limit(const struct command *command) MUST_CHECK;
