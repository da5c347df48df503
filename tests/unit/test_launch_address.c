/* address.c: which addresses are the host itself, and which bytes are an address at all. */
#include "launch/common/address.h"

#include "unit.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

static union address address_of(const char *text, uint16_t port)
{
    union address address = {0};

    if (inet_pton(AF_INET, text, &address.in.sin_addr) == 1) {
        address.in.sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
        address.in6.sin6_family = AF_INET6;
    }
    address_set_port(&address, port);
    return address;
}

TEST(test_loopback)
{
    static const struct {
        const char *text;
        bool loopback, unspecified;
    } cases[] = {
        {"127.0.0.1", true, false},     {"127.255.3.4", true, false},
        {"0.0.0.0", true, true},        {"126.0.0.1", false, false},
        {"128.0.0.1", false, false},    {"1.0.0.127", false, false},
        {"::1", true, false},           {"::", true, true},
        {"::2", false, false},          {"::ffff:127.0.0.1", true, false},
        {"::ffff:0.0.0.0", true, true}, {"::ffff:10.0.0.1", false, false},
        {"::127.0.0.1", false, false}, /* IPv4-compatible: nobody's any more */
        {"fe80::1", false, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        union address address = address_of(cases[i].text, 1);

        assert_int_equal(address_is_loopback(&address), cases[i].loopback);
        assert_int_equal(address_is_unspecified(&address), cases[i].unspecified);
    }
}

TEST(test_lengths)
{
    union address in = address_of("1.2.3.4", 5), in6 = address_of("::1", 5), other = {0};

    other.base.sa_family = AF_UNIX;
    for (socklen_t length = 0; length <= sizeof(in); length++) {
        assert_int_equal(address_is_internet(&in, length), length >= sizeof(in.in));
        assert_int_equal(address_is_internet(&in6, length), length >= 24);
        assert_false(address_is_internet(&other, length));
    }
}

TEST(test_port_and_bytes)
{
    union address in = address_of("1.2.3.4", 0x1234), in6 = address_of("::ffff:1.2.3.4", 7);
    uint8_t left[16], right[16];

    assert_int_equal(address_port(&in), 0x1234);
    assert_int_equal(address_port(&in6), 7);
    address_bytes(&in, left);
    address_bytes(&in6, right);
    assert_memory_equal(left, right, 16);
}

TEST(test_of_socket)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), local;
    union address address;

    assert_true(address_of_socket(fd, &address));
    assert_int_equal(address_port(&address), 0);
    close(fd);
    local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_false(address_of_socket(local, &address));
    close(local);
}
