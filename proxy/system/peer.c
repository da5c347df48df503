#include "system/peer.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

void peer_find(int connected_fd, struct peer *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } from = {.v6 = {0}};
    socklen_t length = sizeof(from);
    const struct in6_addr *address = &out->in6;

    *out = (struct peer){.known = false};
    if (getpeername(connected_fd, &from.any, &length) < 0)
        return;
    if (from.any.sa_family == AF_INET) {
        out->address[10] = out->address[11] = 0xff;
        memcpy(out->address + 12, &from.v4.sin_addr, sizeof(from.v4.sin_addr));
    } else if (from.any.sa_family == AF_INET6) {
        out->in6 = from.v6.sin6_addr;
    } else {
        return;
    }
    out->known = true;
    out->loopback = IN6_IS_ADDR_LOOPBACK(address) ||
                    (IN6_IS_ADDR_V4MAPPED(address) && out->address[12] == IN_LOOPBACKNET);
    if (out->loopback)
        return;
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, out->address + 12, out->text, sizeof(out->text));
    else
        inet_ntop(AF_INET6, address, out->text, sizeof(out->text));
}
