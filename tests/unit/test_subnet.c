/* subnet.c: what is taken for a network; which addresses are in one is tried by launch_reach. */
#include "base/subnet.h"

#include "unit.h"
#include "vector_lines.h"

#include <string.h>

TEST(test_what_is_a_network)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/reach/networks.txt");
    for (; vector_next(&vector, 2); count++) {
        struct subnet network;
        const char *said = subnet_check(vector.fields[1]), *expected = vector.fields[0];
        bool is_one = strcmp(expected, "-") == 0;

        if (is_one != (said == NULL) ||
            (said != NULL && strncmp(said, expected, strlen(expected)) != 0))
            fail_msg("line %zu: %s", vector.number, said != NULL ? said : "it is taken");
        assert_int_equal(subnet_read(vector.fields[1], &network), is_one);
    }
    vector_close(&vector);
    assert_true(count > 20);
}

TEST(test_all_lengths)
{
    for (unsigned bits = 0; bits <= SUBNET_BITS; bits++) {
        struct subnet network = {.bits = (uint8_t)bits};
        uint8_t address[16] = {0};

        for (unsigned bit = 0; bit < bits; bit++)
            network.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        memcpy(address, network.bytes, sizeof(address));
        assert_true(subnet_has(&network, address));
        if (bits < SUBNET_BITS) {
            address[bits / 8] |= (uint8_t)(0x80u >> bits % 8);
            assert_true(subnet_has(&network, address));
        }
        if (bits > 0) {
            address[(bits - 1) / 8] ^= (uint8_t)(0x80u >> (bits - 1) % 8);
            assert_false(subnet_has(&network, address));
        }
    }
}
