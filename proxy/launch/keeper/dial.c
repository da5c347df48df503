#include "launch/keeper/dial.h"

#include "launch/common/address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Where a listener is reached: at its address, or at loopback if it takes all. */
static void address_of_row(const struct port *row, union address *out)
{
    struct in6_addr address;

    memset(out, 0, sizeof(*out));
    memcpy(&address, row->address, sizeof(address));
    if (IN6_IS_ADDR_V4MAPPED(&address) || (IN6_IS_ADDR_UNSPECIFIED(&address) && !row->only_ipv6)) {
        out->in.sin_family = AF_INET;
        out->in.sin_addr.s_addr = address.s6_addr32[3];
        if (out->in.sin_addr.s_addr == htonl(INADDR_ANY))
            out->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_addr = IN6_IS_ADDR_UNSPECIFIED(&address) ? in6addr_loopback : address;
        if (IN6_IS_ADDR_LINKLOCAL(&address))
            out->in6.sin6_scope_id = 1; /* lo */
    }
    address_set_port(out, (uint16_t)row->number);
}

int dial_port(struct ports *ports, uint32_t port, int *out)
{
    const struct port *row = ports_find(ports, IPPROTO_TCP, port);
    union address address;
    int fd;

    if (row == NULL)
        return ECONNREFUSED;
    address_of_row(row, &address);
    fd = socket(address.base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return errno;
    if (connect(fd, &address.base, address_length(&address)) < 0 && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        return error;
    }
    *out = fd;
    return 0;
}
