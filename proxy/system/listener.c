#include "system/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Towards each client: more would only be kernel memory that slow readers hold,
 * and that is too much for a processor's cache.
 */
#define SEND_BUFFER_BYTES (192 * 1024)

#define ANY_PORT_TRIES 64

struct bind_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static bool parse_address(const char *host, uint16_t port, struct bind_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->storage;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out->length = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->length = sizeof(*v6);
        return true;
    }
    return false;
}

enum error listener_describe(struct listener *listener)
{
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof(bound);
    const void *address;

    if (getsockname(listener->fd, (struct sockaddr *)&bound, &length) < 0)
        return ERROR_IO;
    if (bound.ss_family == AF_INET) {
        address = &((struct sockaddr_in *)&bound)->sin_addr;
        listener->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    } else if (bound.ss_family == AF_INET6) {
        address = &((struct sockaddr_in6 *)&bound)->sin6_addr;
        listener->port = ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
    } else {
        return ERROR_INVALID;
    }
    return inet_ntop(bound.ss_family, address, listener->address, sizeof(listener->address)) != NULL
               ? OK
               : ERROR_IO;
}

static enum error open_one(const char *host, uint16_t port, struct listener *out, char *why,
                           size_t why_size)
{
    struct bind_address address;
    enum error error;
    int on = 1, size = SEND_BUFFER_BYTES;

    if (!parse_address(host, port, &address)) {
        snprintf(why, why_size, "%s is not an IP address", host);
        return ERROR_INVALID;
    }
    out->fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* What is accepted inherits it. */
    if (out->fd >= 0)
        (void)setsockopt(out->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (out->fd >= 0 && setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (address.storage.ss_family != AF_INET6 ||
         setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(out->fd, (struct sockaddr *)&address.storage, address.length) == 0 &&
        listen(out->fd, LISTENER_BACKLOG) == 0) {
        error = listener_describe(out);
        if (error == OK)
            return OK;
    } else {
        error = errno == EADDRINUSE ? ERROR_EXISTS : ERROR_IO;
    }
    snprintf(why, why_size, "cannot listen on %s port %u: %s", host, port, strerror(errno));
    listener_close(out);
    return error;
}

static enum error open_both(uint16_t port, struct listener out[2], char *why, size_t why_size)
{
    enum error error = ERROR_EXISTS;

    /* Any port: the one the kernel picked for IPv4 may be taken for IPv6. */
    for (unsigned tries = port == 0 ? ANY_PORT_TRIES : 1; tries > 0 && error == ERROR_EXISTS;
         tries--) {
        error = open_one("127.0.0.1", port, &out[0], why, why_size);
        if (error != OK)
            return error;
        error = open_one("::1", out[0].port, &out[1], why, why_size);
        if (error != OK)
            listener_close(&out[0]);
    }
    return error;
}

enum error listener_open(const char *host, uint16_t port, struct listener out[2], size_t *count,
                         char *why, size_t why_size)
{
    bool both = strcmp(host, "localhost") == 0;
    enum error error =
        both ? open_both(port, out, why, why_size) : open_one(host, port, &out[0], why, why_size);

    if (error == OK)
        *count = both ? 2 : 1;
    return error;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}
