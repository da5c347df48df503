/* Socket addresses of the internet's two families, as a service passed them or the kernel did. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union address {
    struct sockaddr base;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage storage;
};

/* Whether it is a whole AF_INET or AF_INET6 address of `length` bytes. */
bool address_is_internet(const union address *address, socklen_t length);

/* What follows is for internet addresses. */

uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);

/* Leads to the host itself whatever its interfaces are: 127.0.0.0/8, ::1, and the unspecified
 * ones, which connect to loopback (RFC 4291 section 2.5; v4-mapped ones as their IPv4). */
bool address_is_loopback(const union address *address);
bool address_is_unspecified(const union address *address);

/* The address alone, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
void address_bytes(const union address *address, uint8_t out[16]);

/*
 * An errno of connect(2) that says that nobody is reached there. What fences of one's own say
 * (EACCES, EPERM), or a lack of something (EMFILE, ENOBUFS), says nothing of others.
 */
bool address_is_unreachable(int error);

/* Of a socket; its length is that of its family. false: it has none. */
bool address_of_socket(int socket, union address *out);
socklen_t address_length(const union address *address);
