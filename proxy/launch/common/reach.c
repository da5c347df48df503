#include "launch/common/reach.h"

#include <stddef.h>

bool reach_is_limited(const struct reach *reach)
{
    return reach->ports_limited != 0 || reach->network_count > 0 || reach->no_datagrams != 0;
}

bool reach_is_sound(const struct reach *reach)
{
    if (reach->ports_limited > 1 || reach->no_datagrams > 1 ||
        reach->port_count > REACH_PORTS_MAX || reach->network_count > REACH_NETWORKS_MAX)
        return false;
    for (size_t i = 0; i < reach->network_count; i++) {
        if (reach->networks[i].bits > SUBNET_BITS)
            return false;
    }
    return true;
}

static bool has_port(const struct reach *reach, uint16_t port)
{
    for (size_t i = 0; i < reach->port_count; i++) {
        if (reach->ports[i] == port)
            return true;
    }
    return false;
}

static bool is_refused(const struct reach *reach, const uint8_t address[16])
{
    for (size_t i = 0; i < reach->network_count; i++) {
        if (subnet_has(&reach->networks[i], address))
            return true;
    }
    return false;
}

bool reach_permits(const struct reach *reach, int protocol, const union address *address)
{
    uint8_t bytes[16], meant[SUBNET_MEANT_MAX][16];
    unsigned count;

    if (protocol == IPPROTO_TCP && reach->ports_limited != 0 &&
        !has_port(reach, address_port(address)))
        return false;
    if (protocol != IPPROTO_TCP && reach->no_datagrams != 0)
        return false;
    address_bytes(address, bytes);
    if (is_refused(reach, bytes))
        return false;
    count = subnet_meant(bytes, meant);
    for (unsigned i = 0; i < count; i++) {
        if (is_refused(reach, meant[i]))
            return false;
    }
    return true;
}
