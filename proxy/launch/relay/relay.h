/*
 * A relay: the process that speaks HTTP with the gate and lines with the processes of a stdio
 * service, for one session of the gate. It is forked before anything was read, runs in a tree of
 * its own (launch/tree.h), knows no key, opens, starts and dials nothing: what it has are the
 * descriptors that the launcher hands it (words.h), and a worker's sandbox around it.
 */
#pragma once

/* What a relay begins with: the channel to the launcher is this descriptor. */
#define RELAY_CHANNEL 0

/* Until the launcher has gone. The exit code. */
int relay_run(void);
