#include "setup/exposure.h"

#include "launch/common/address.h"
#include "system/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES_MAX 256
#define HOST_SIZE     (INET6_ADDRSTRLEN + 16)

socklen_t exposure_address(const struct listen_address *from, struct sockaddr_storage *out)
{
    union address address = {.in6 = {0}};

    if (inet_pton(AF_INET, from->host, &address.in.sin_addr) == 1)
        address.base.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, from->host, &address.in6.sin6_addr) == 1)
        address.base.sa_family = AF_INET6;
    address_set_port(&address, from->port);
    *out = address.storage;
    return address_length(&address);
}

enum error exposure_tell(const struct listen_address *service, const char *where,
                         char why[WHY_SIZE])
{
    if (where == NULL)
        return error_explain(
            why, ERROR_DENIED,
            "The addresses of this network namespace cannot be asked, so nothing "
            "shows that the service is behind the gate alone: let Sidelock connect "
            "to them.");
    return error_explain(why, ERROR_DENIED,
                         "Somebody answers at %.96s, where others reach the port of the service "
                         "past the gate: have it listen at %.32s alone, or let no connection begin "
                         "to any address but loopback except to the gate's port (nftables; "
                         "config/README.md has the rule).",
                         where, service->host);
}

enum error exposure_look_devices(const struct listen_address *service, bool shared,
                                 char why[WHY_SIZE])
{
    char device[IF_NAMESIZE] = "";

    if (strchr(service->host, ':') != NULL)
        return OK;
    switch (network_look_loopback(NETWORK_DEVICES, device, sizeof(device))) {
    case NETWORK_LOOPBACK_KEPT:
        break;
    case NETWORK_LOOPBACK_TAKEN:
        return error_explain(
            why, ERROR_DENIED,
            "\"%.15s\" takes packets for loopback from outside, so that neighbours "
            "reach %.32s past the gate: set net.ipv4.conf.%.15s.route_localnet to "
            "0.",
            device, service->text, device);
    case NETWORK_LOOPBACK_UNKNOWN:
        if (shared)
            break;
        return error_explain(
            why, ERROR_DENIED,
            "Whether a device takes packets for loopback from outside, so that "
            "neighbours reach %.32s past the gate, cannot be found out, since " NETWORK_DEVICES
            " cannot be read: if none does, say \"namespace\": "
            "\"shared\".",
            service->text);
    }
    return OK;
}

static enum error look_network(const struct surface *surface, char why[WHY_SIZE])
{
    struct network_facts facts;
    const char *unknown;

    network_find(&facts);
    switch (network_judge(&facts, &unknown)) {
    case NETWORK_MACHINE:
        return error_explain(
            why, ERROR_DENIED,
            "The network namespace is this machine's own, where every process reaches %.32s past "
            "the gate: run the service and the gate in a container or a pod of their own, or give "
            "the service a \"socket\", or a \"command\" that Sidelock starts.",
            surface->upstream_tcp.text);
    case NETWORK_UNKNOWN:
        if (surface->upstream_namespace == NAMESPACE_SHARED)
            break;
        return error_explain(why, ERROR_DENIED,
                             "Whether the network namespace is a machine's own, where every "
                             "process reaches %.32s past the gate, cannot be found out (%s): if it "
                             "is a container's or a pod's, say \"namespace\": \"shared\".",
                             surface->upstream_tcp.text, unknown);
    case NETWORK_APART:
        break;
    }
    return OK;
}

/* ---- Whether the port is open elsewhere ---- */

struct doors {
    struct pollfd polls[ADDRESSES_MAX];
    char hosts[ADDRESSES_MAX][HOST_SIZE];
    size_t count;
};

/* One end is not the other: a port that asks itself answers itself, and is nobody's. */
static bool is_answered(int fd)
{
    union address here = {.in6 = {0}}, there = {.in6 = {0}};
    socklen_t length = sizeof(there);
    int error = 0;
    socklen_t size = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 &&
           getpeername(fd, &there.base, &length) == 0 && address_of_socket(fd, &here) &&
           memcmp(&here, &there, length) != 0;
}

/* False: it cannot be asked, and nothing is known. */
static bool knock(struct doors *doors, const union address *address, const char *host)
{
    int fd = socket(address->base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || doors->count == ADDRESSES_MAX) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (connect(fd, &address->base, address_length(address)) < 0 && errno != EINPROGRESS) {
        bool nobody = address_is_unreachable(errno);

        close(fd);
        return nobody;
    }
    doors->polls[doors->count] = (struct pollfd){.fd = fd, .events = POLLOUT};
    snprintf(doors->hosts[doors->count++], HOST_SIZE, "%s", host);
    return true;
}

static bool knock_all(struct doors *doors, const struct config *config, uint16_t port)
{
    struct ifaddrs *all;
    bool asked = getifaddrs(&all) == 0;

    if (!asked)
        return false;
    for (const struct ifaddrs *one = all; asked && one != NULL; one = one->ifa_next) {
        union address address = {.in6 = {0}};
        char host[INET6_ADDRSTRLEN] = "";

        if (one->ifa_addr == NULL ||
            (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&address, one->ifa_addr,
               one->ifa_addr->sa_family == AF_INET ? sizeof(address.in) : sizeof(address.in6));
        address_set_port(&address, port);
        inet_ntop(address.base.sa_family,
                  address.base.sa_family == AF_INET ? (const void *)&address.in.sin_addr
                                                    : &address.in6.sin6_addr,
                  host, sizeof(host));
        if (!address_is_loopback(&address) && !config_listens_at(config, host, port))
            asked = knock(doors, &address, host);
    }
    freeifaddrs(all);
    return asked;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The first that is answered; NULL: none is. */
static const char *wait_for_answers(struct doors *doors)
{
    uint64_t until = now_ms() + EXPOSURE_PATIENCE_MS;
    const char *found = NULL;
    size_t left = doors->count;

    for (uint64_t now = now_ms(); found == NULL && left > 0 && now < until; now = now_ms()) {
        if (poll(doors->polls, (nfds_t)doors->count, (int)(until - now)) < 0 && errno != EINTR)
            break;
        for (size_t i = 0; i < doors->count; i++) {
            if (doors->polls[i].fd < 0 || doors->polls[i].revents == 0)
                continue;
            if (found == NULL && is_answered(doors->polls[i].fd))
                found = doors->hosts[i];
            close(doors->polls[i].fd);
            doors->polls[i].fd = -1;
            left--;
        }
    }
    for (size_t i = 0; i < doors->count; i++) {
        if (doors->polls[i].fd >= 0)
            close(doors->polls[i].fd);
    }
    return found;
}

enum error exposure_knock(const struct config *config, const struct surface *surface,
                          char why[WHY_SIZE])
{
    struct doors *doors = calloc(1, sizeof(*doors));
    uint16_t port = surface->upstream_tcp.port;
    enum error error = OK;
    const char *host;
    bool asked;

    if (doors == NULL)
        return error_explain(why, ERROR_MEMORY, "out of memory");
    asked = knock_all(doors, config, port);
    host = wait_for_answers(doors);
    if (host != NULL) {
        char where[HOST_SIZE + sizeof("[]:65535")];

        snprintf(where, sizeof(where), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
        error = exposure_tell(&surface->upstream_tcp, where, why);
    } else if (!asked) {
        error = exposure_tell(&surface->upstream_tcp, NULL, why);
    }
    free(doors);
    return error;
}

enum error exposure_check(const struct surface *surface, char why[WHY_SIZE])
{
    enum error error = look_network(surface, why);

    return error == OK ? exposure_look_devices(&surface->upstream_tcp,
                                               surface->upstream_namespace == NAMESPACE_SHARED, why)
                       : error;
}
