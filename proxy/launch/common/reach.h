/*
 * Where a tree may connect to, where that is limited. What it listens on itself is its own and
 * reached in any case; this is about the host's network.
 */
#pragma once

#include "base/subnet.h"

#include "launch/common/address.h"

#include <stdbool.h>
#include <stdint.h>

#define REACH_PORTS_MAX    64u
#define REACH_NETWORKS_MAX 64u

struct reach {
    uint32_t ports_limited; /* by TCP to these ports, and to no others */
    uint32_t port_count;
    uint32_t network_count; /* nothing to these networks */
    uint32_t no_datagrams;  /* nothing by UDP */
    uint16_t ports[REACH_PORTS_MAX];
    struct subnet networks[REACH_NETWORKS_MAX];
};

/* Whether anything is limited. */
bool reach_is_limited(const struct reach *reach);
/* Whether it is one, of bytes of whoever sent them. */
bool reach_is_sound(const struct reach *reach);
/* Of an internet address, by IPPROTO_TCP, IPPROTO_UDP or another protocol. */
bool reach_permits(const struct reach *reach, int protocol, const union address *address);
