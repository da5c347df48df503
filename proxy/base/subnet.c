#include "base/subnet.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#define IPV4_AT 12 /* behind ::ffff: */

static const uint8_t mapped[IPV4_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void put_ipv4(uint8_t out[16], const uint8_t ipv4[4])
{
    memcpy(out, mapped, IPV4_AT);
    memcpy(out + IPV4_AT, ipv4, 4);
}

bool subnet_is_ipv4(const uint8_t address[16])
{
    return memcmp(address, mapped, IPV4_AT) == 0;
}

/* Whether all bits from `bits` on are zero. */
static bool ends_there(const uint8_t bytes[16], unsigned bits)
{
    for (unsigned bit = bits; bit < SUBNET_BITS; bit++) {
        if ((bytes[bit / 8] & 0x80u >> bit % 8) != 0)
            return false;
    }
    return true;
}

static const char *read_all(const char *text, struct subnet *out)
{
    char address[SUBNET_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    uint64_t bits = 0;
    uint8_t ipv4[4];
    unsigned before = 0;

    if (length >= sizeof(address))
        return "must be an address, or a network like 10.0.0.0/8 or fd00::/8";
    memcpy(address, text, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, ipv4) == 1) {
        put_ipv4(out->bytes, ipv4);
        before = 8 * IPV4_AT;
    } else if (inet_pton(AF_INET6, address, out->bytes) != 1) {
        return "must be an address, or a network like 10.0.0.0/8 or fd00::/8";
    }
    if (slash != NULL && (!text_number(span_of(slash + 1), 3, &bits) || bits + before > 128))
        return "must have 0 to 32 bits behind the slash for IPv4, 0 to 128 for IPv6";
    out->bits = slash != NULL ? (uint8_t)(bits + before) : SUBNET_BITS;
    if (!ends_there(out->bytes, out->bits))
        return "must have no bits set behind those of the network, as 10.1.0.0/8 has";
    if (before == 0 && out->bits >= 8 * IPV4_AT && subnet_is_ipv4(out->bytes))
        return "must be written as IPv4";
    return NULL;
}

const char *subnet_check(const char *text)
{
    struct subnet network;

    return read_all(text, &network);
}

bool subnet_read(const char *text, struct subnet *out)
{
    return read_all(text, out) == NULL;
}

static bool begins_with(const uint8_t address[16], const uint8_t bytes[16], unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(address, bytes, whole) == 0 &&
           (rest == 0 || ((address[whole] ^ bytes[whole]) & 0xff00u >> rest & 0xffu) == 0);
}

bool subnet_has(const struct subnet *network, const uint8_t address[16])
{
    const bool ipv4 = network->bits >= 8 * IPV4_AT && subnet_is_ipv4(network->bytes);

    return ipv4 == subnet_is_ipv4(address) && begins_with(address, network->bytes, network->bits);
}

unsigned subnet_meant(const uint8_t address[16], uint8_t out[SUBNET_MEANT_MAX][16])
{
    static const uint8_t loopback[4] = {127, 0, 0, 1}, ones[16] = {[15] = 1}, none[16] = {0};
    static const struct {
        uint8_t bytes[16];
        unsigned bits, ipv4_at;
    } embedding[] = {{{0x00, 0x64, 0xff, 0x9b}, 96, 12}, {{0x20, 0x02}, 16, 2}, {{0}, 96, 12}};

    if (subnet_is_ipv4(address)) {
        if (memcmp(address + IPV4_AT, none, 4) != 0)
            return 0;
        put_ipv4(out[0], loopback);
        return 1;
    }
    if (memcmp(address, none, sizeof(none)) == 0) {
        put_ipv4(out[0], loopback); /* of a socket that is bound to an IPv4 address */
        memcpy(out[1], ones, sizeof(ones));
        return 2;
    }
    for (size_t i = 0; i < sizeof(embedding) / sizeof(embedding[0]); i++) {
        if (begins_with(address, embedding[i].bytes, embedding[i].bits)) {
            put_ipv4(out[0], address + embedding[i].ipv4_at);
            return 1;
        }
    }
    return 0;
}
