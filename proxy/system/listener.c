#include "system/listener.h"

#include "system/port_holder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Towards each client: more would only be kernel memory that slow readers hold,
 * and that is too much for a processor's cache.
 */
#define SEND_BUFFER_BYTES (192 * 1024)

#define ANY_PORT_TRIES 64

/* Both kinds have their family and port in the same place. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void *host_of(union address *address)
{
    return address->any.sa_family == AF_INET ? (void *)&address->v4.sin_addr
                                             : (void *)&address->v6.sin6_addr;
}

static bool parse_address(const char *host, uint16_t port, union address *out)
{
    *out = (union address){.v6.sin6_port = htons(port)};
    out->any.sa_family = strchr(host, ':') == NULL ? AF_INET : AF_INET6;
    return inet_pton(out->any.sa_family, host, host_of(out)) == 1;
}

enum error listener_describe(struct listener *listener)
{
    union address bound = {.v6 = {0}};
    socklen_t length = sizeof(bound);
    int family;

    if (getsockname(listener->fd, &bound.any, &length) < 0)
        return ERROR_IO;
    family = bound.any.sa_family;
    if (family != AF_INET && family != AF_INET6)
        return ERROR_INVALID;
    listener->port = ntohs(bound.v4.sin_port);
    inet_ntop(family, host_of(&bound), listener->address, sizeof(listener->address));
    return OK;
}

static enum error open_one(const char *host, uint16_t port, struct listener *out,
                           char why[WHY_SIZE])
{
    union address address;
    socklen_t length;
    enum error error;
    int family, reason, on = 1, size = SEND_BUFFER_BYTES;
    char holder[PORT_HOLDER_SIZE] = "";

    if (!parse_address(host, port, &address))
        return error_explain(why, ERROR_INVALID, "%s is not an IP address", host);
    family = address.any.sa_family;
    length = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    out->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* What is accepted inherits both. */
    if (out->fd >= 0) {
        (void)setsockopt(out->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(out->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (out->fd >= 0 && setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (family != AF_INET6 ||
         setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(out->fd, &address.any, length) == 0 && listen(out->fd, LISTENER_BACKLOG) == 0)
        error = listener_describe(out);
    else
        error = errno == EADDRINUSE ? ERROR_EXISTS : ERROR_IO;
    if (error != OK) {
        reason = errno;
        if (reason == EADDRINUSE)
            port_holder_tell(&address.any, holder);
        error_explain(why, error, "cannot listen on %s port %u: %s%s", host, port, strerror(reason),
                      holder);
        listener_close(out);
        errno = reason;
    }
    return error;
}

/* This host has no such address: nobody could listen there, so nobody is in the place of ours. */
static bool has_no_v6(enum error error)
{
    return error == ERROR_IO && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
}

static enum error open_both(uint16_t port, struct listener out[2], size_t *count,
                            char why[WHY_SIZE])
{
    enum error error = ERROR_EXISTS;

    /* Any port: the one the kernel picked for IPv4 may be taken for IPv6. */
    for (unsigned tries = port == 0 ? ANY_PORT_TRIES : 1; tries > 0 && error == ERROR_EXISTS;
         tries--) {
        error = open_one(LISTENER_V4, port, &out[0], why);
        if (error != OK)
            return error;
        error = open_one(LISTENER_V6, out[0].port, &out[1], why);
        if (has_no_v6(error)) {
            *count = 1;
            return OK;
        }
        if (error != OK)
            listener_close(&out[0]);
    }
    if (error == OK)
        *count = 2;
    return error;
}

enum error listener_open(const char *host, uint16_t port, struct listener out[2], size_t *count,
                         char why[WHY_SIZE])
{
    enum error error;

    if (strcmp(host, LISTENER_BOTH) == 0)
        return open_both(port, out, count, why);
    error = open_one(host, port, &out[0], why);
    if (error == OK)
        *count = 1;
    return error;
}

enum error listener_open_missing(uint16_t port, struct listener *out, char why[WHY_SIZE])
{
    enum error error = open_one(LISTENER_V6, port, out, why);

    return has_no_v6(error) ? ERROR_NOT_FOUND : error;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}
