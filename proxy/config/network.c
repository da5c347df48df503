/* Networks by their addresses and prefixes, as "callers" names them (config.h). */
#include "config/reading.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_BITS  128
#define V4_BEGINS     12 /* the byte at which ::ffff:a.b.c.d has the IPv4 address */
#define BITS_DIGITS   3
#define NETWORK_BYTES (INET6_ADDRSTRLEN + 4)

/* The whole bytes, then what is left of one. */
static bool is_same(const uint8_t *left, const uint8_t *right, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    return memcmp(left, right, bytes) == 0 &&
           (rest == 0 || (left[bytes] ^ right[bytes]) >> (8 - rest) == 0);
}

bool config_network_has(const struct config_network *network, const uint8_t address[16])
{
    return is_same(network->address, address, network->bits);
}

bool config_networks_restrict(const struct surface *surface)
{
    static const uint8_t every_v4[16] = {[10] = 0xff, [11] = 0xff};
    bool beyond_loopback = false;

    for (size_t i = 0; i < surface->listen_count; i++)
        beyond_loopback = beyond_loopback || !surface->listen[i].loopback;
    for (size_t i = 0; i < surface->caller_network_count; i++) {
        const struct config_network *network = &surface->caller_networks[i];

        if (network->bits <= V4_BEGINS * 8 && config_network_has(network, every_v4))
            return false;
    }
    return beyond_loopback && surface->caller_network_count > 0;
}

/* IPv4 is ::ffff:a.b.c.d, so that one that comes to a socket of both families is the same. */
static bool read_address(const char *text, uint8_t out[16], unsigned *family_begins)
{
    *family_begins = 0;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memset(out, 0, V4_BEGINS);
    out[10] = out[11] = 0xff;
    *family_begins = V4_BEGINS * 8;
    return inet_pton(AF_INET, text, out + V4_BEGINS) == 1;
}

/* Whether nothing is set beyond the prefix: else somebody meant another network. */
static bool is_whole(const struct config_network *network)
{
    uint8_t masked[16] = {0};

    for (unsigned i = 0; i < network->bits; i++)
        masked[i / 8] |= (uint8_t)(network->address[i / 8] & (0x80 >> i % 8));
    return memcmp(masked, network->address, sizeof(masked)) == 0;
}

bool config_network_parse(const char *text, struct config_network *out)
{
    char address[NETWORK_BYTES];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    uint64_t bits = ADDRESS_BITS;
    unsigned begins;

    if (length >= sizeof(address))
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!read_address(address, out->address, &begins))
        return false;
    if (slash != NULL) {
        if (!text_number(span_of(slash + 1), BITS_DIGITS, &bits) ||
            (slash[1] == '0' && slash[2] != '\0') || bits + begins > ADDRESS_BITS)
            return false;
        bits += begins;
    }
    out->bits = (uint8_t)bits;
    return is_whole(out);
}

bool config_address_parse(const char *text, uint8_t out[16])
{
    unsigned begins;

    return read_address(text, out, &begins);
}

void config_network_read(struct json_reader *reader, struct json_t *value, void *into)
{
    struct config_network *network = into;

    network->text = json_reader_text(reader, value, json_check_word, NETWORK_BYTES);
    if (network->text != NULL && !config_network_parse(network->text, network))
        json_reader_fault(reader,
                          "\"%.64s\" must be an address, or a network whose address ends where "
                          "its prefix does, like \"172.18.0.0/16\" or \"fd00::/8\".",
                          network->text);
}

void config_network_clear(void *network)
{
    free(((struct config_network *)network)->text);
}
