/* The address at the other end of a TCP connection, as the kernel has it. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct peer {
    union {
        uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
        struct in6_addr in6; /* the same */
    };
    bool known; /* false: it has gone, or is none */
    bool loopback;
    char text[INET6_ADDRSTRLEN]; /* "172.18.0.3", "fd00::3"; "" of nobody, and of loopback */
};

void peer_find(int connected_fd, struct peer *out);
