/*
 * What of a configuration without faults is worth a second look, one sentence each: what `check`
 * warns of, and `doctor` too.
 */
#pragma once

#include "setup/bundle.h"

struct cautions {
    void (*tell)(void *context, const char *sentence);
    void *context;
};

/* By what is written in it, on whatever machine; but for whose its executables are. */
void cautions_of_text(const struct config_bundle *bundle, const struct cautions *to);
/* By what this machine has for it now. */
void cautions_of_host(const struct config_bundle *bundle, const struct cautions *to);
/* Where a service listens by itself: whether a gate that runs is in this process's network, of
 * which alone anything is found out. Of a configuration with faults, too. */
void cautions_of_network(const struct config_bundle *bundle, const struct cautions *to);
/* By what the kernel cannot keep the gate's own processes from. */
void cautions_of_kernel(const struct cautions *to);
