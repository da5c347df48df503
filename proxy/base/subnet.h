/*
 * Networks of IPv4 and IPv6 ("169.254.0.0/16", "::1"), and which addresses are in them. An address
 * is 16 bytes, IPv4's as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). The two families stay apart:
 * "::/0" has no IPv4.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SUBNET_BITS      128
#define SUBNET_TEXT_SIZE 50 /* of the longest that is read, with NUL */

struct subnet {
    uint8_t bytes[16]; /* behind the first `bits` all zero */
    uint8_t bits;      /* of 128, also of IPv4 */
};

/* NULL for a network as it is to be written, or a static phrase: "must be ...". */
const char *subnet_check(const char *text);
/* The same, read; false: it is none. */
bool subnet_read(const char *text, struct subnet *out);

bool subnet_is_ipv4(const uint8_t address[16]);
bool subnet_has(const struct subnet *network, const uint8_t address[16]);

/*
 * Other addresses that a connect to this one may lead to: the unspecified ones are the host's own
 * loopback, and IPv4 is embedded where translators and tunnels look for it (64:ff9b::/96, RFC 6052;
 * 2002::/16, RFC 3056; ::/96, RFC 4291 section 2.5.5.1). Returns how many.
 */
#define SUBNET_MEANT_MAX 2
unsigned subnet_meant(const uint8_t address[16], uint8_t out[SUBNET_MEANT_MAX][16]);
