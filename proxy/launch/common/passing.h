/*
 * Messages of a fixed size with descriptors beside them, over a SOCK_SEQPACKET pair
 * (unix(7), SCM_RIGHTS): how spawner, keeper and their parent speak. Descriptors that
 * arrive are closed on exec and are the receiver's.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

#define PASSING_DESCRIPTORS_MAX 8

/* Both ends are closed on exec; neither blocks if `nonblocking`, which concerns out[0] alone. */
enum error passing_pair(int out[2], int nonblocking) MUST_CHECK;

/* Waits for room, or ERROR_STATE where there is none and the channel does not block. */
enum error passing_send(int channel, const void *bytes, size_t length, const int *descriptors,
                        size_t count) MUST_CHECK;

/*
 * Reads one message of exactly `length` bytes. `count` says how many descriptors there is
 * room for, and then how many came: those are the caller's. ERROR_STATE: nothing is there
 * and the channel does not block; ERROR_NOT_FOUND: the other end has gone; ERROR_SYNTAX:
 * another length, or more descriptors than there is room for: nothing was kept.
 */
enum error passing_receive(int channel, void *bytes, size_t length, int *descriptors,
                           size_t *count) MUST_CHECK;

/* Closes it, if it is one, and forgets it: afterwards it is -1. */
void passing_close(int *descriptor);
