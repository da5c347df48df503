#include "launch/common/address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* RFC 2133's length, which Linux still takes: without sin6_scope_id. */
#define IN6_LENGTH_MIN ((socklen_t)offsetof(struct sockaddr_in6, sin6_scope_id))

bool address_is_internet(const union address *address, socklen_t length)
{
    if (length < (socklen_t)sizeof(address->base.sa_family))
        return false;
    return (address->base.sa_family == AF_INET && length >= (socklen_t)sizeof(address->in)) ||
           (address->base.sa_family == AF_INET6 && length >= IN6_LENGTH_MIN);
}

uint16_t address_port(const union address *address)
{
    return ntohs(address->base.sa_family == AF_INET ? address->in.sin_port
                                                    : address->in6.sin6_port);
}

void address_set_port(union address *address, uint16_t port)
{
    if (address->base.sa_family == AF_INET)
        address->in.sin_port = htons(port);
    else
        address->in6.sin6_port = htons(port);
}

void address_bytes(const union address *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (address->base.sa_family == AF_INET6) {
        memcpy(out, &address->in6.sin6_addr, 16);
        return;
    }
    memcpy(out, mapped, sizeof(mapped));
    memcpy(out + sizeof(mapped), &address->in.sin_addr, 4);
}

bool address_is_unspecified(const union address *address)
{
    struct in6_addr bytes;

    address_bytes(address, bytes.s6_addr);
    if (IN6_IS_ADDR_V4MAPPED(&bytes))
        return bytes.s6_addr32[3] == 0;
    return IN6_IS_ADDR_UNSPECIFIED(&bytes);
}

bool address_is_loopback(const union address *address)
{
    struct in6_addr bytes;

    address_bytes(address, bytes.s6_addr);
    if (address_is_unspecified(address))
        return true;
    if (IN6_IS_ADDR_V4MAPPED(&bytes))
        return bytes.s6_addr[12] == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&bytes);
}

socklen_t address_length(const union address *address)
{
    return address->base.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

bool address_is_unreachable(int error)
{
    return error == ECONNREFUSED || error == ENETUNREACH || error == EHOSTUNREACH ||
           error == EADDRNOTAVAIL;
}

bool address_of_socket(int socket, union address *out)
{
    socklen_t length = sizeof(*out);

    memset(out, 0, sizeof(*out));
    return getsockname(socket, &out->base, &length) == 0 && address_is_internet(out, length);
}
