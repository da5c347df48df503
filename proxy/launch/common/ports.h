/*
 * The ports that a tree has bound in its private namespace, as the kernel tells them
 * (sock_diag(7)): TCP listeners and bound UDP sockets. Rows come and go with the sockets;
 * nobody but the tree has any there.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_MAX         256 /* rows at once: a ceiling on the quota of a tree */
#define PORT_PROGRAM_SIZE 16

struct port {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t number;
    uint32_t protocol;               /* IPPROTO_TCP or IPPROTO_UDP */
    uint32_t only_ipv6;              /* of an IPv6 socket: takes no IPv4 */
    char program[PORT_PROGRAM_SIZE]; /* who asked for it, comm of proc(5); "": unknown */
};

struct ports {
    struct port rows[PORTS_MAX];
    bool told[PORTS_MAX]; /* the parent has heard of it */
    size_t count;
    int diag;
};

/* Asks in the calling thread's network namespace from now on. */
enum error ports_open(struct ports *ports) MUST_CHECK;

/* Asks the kernel: rows of sockets that are gone go, new ones come. */
enum error ports_refresh(struct ports *ports) MUST_CHECK;

/* Says whose it is, for the row that is this socket's. */
void ports_name(struct ports *ports, uint32_t protocol, uint32_t number, const char *program);

/* The row that a connect to this port reaches; NULL: none. `number` 0: the first TCP one. */
const struct port *ports_find(const struct ports *ports, uint32_t protocol, uint32_t number);

/* Adds the rows of one answer of the kernel's (a netlink datagram) to `ports`; ERROR_NOT_FOUND
 * where more are to come, ERROR_IO if the kernel refused, ERROR_SYNTAX. */
enum error ports_read(struct ports *ports, uint32_t protocol, const void *bytes,
                      size_t length) MUST_CHECK;
