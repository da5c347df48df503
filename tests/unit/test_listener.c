/* listener.c: both loopbacks or neither, on one port. */
#include "system/listener.h"

#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool connects(const char *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1, connected;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!is_v4)
        assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    connected = is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) == 0
                      : connect(fd, (struct sockaddr *)&v6, sizeof(v6)) == 0;
    close(fd);
    return connected;
}

static void assert_open(const struct listener *listener, const char *address)
{
    assert_true(listener->fd >= 0 && listener->port != 0);
    assert_string_equal(listener->address, address);
    assert_true((fcntl(listener->fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(fcntl(listener->fd, F_GETFD), FD_CLOEXEC);
    assert_true(connects(address, listener->port));
}

TEST(test_one_address)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "127.0.0.2"};
    struct listener out[2] = {{.fd = -1}, {.fd = -1}};
    char why[WHY_SIZE] = "";
    size_t count;

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        count = 0;
        assert_int_equal(listener_open(addresses[i], 0, out, &count, why), OK);
        assert_int_equal(count, 1);
        assert_open(&out[0], addresses[i]);
        listener_close(&out[0]);
        assert_false(connects(addresses[i], out[0].port));
        listener_close(&out[0]); /* once more does nothing */
    }
    assert_int_equal(out[1].fd, -1);
}

/* [::1] means IPv6 alone, not a back door for IPv4. */
TEST(test_v6_only)
{
    struct listener out[2];
    char why[WHY_SIZE];
    size_t count;

    assert_int_equal(listener_open("::", 0, out, &count, why), OK);
    assert_true(connects("::1", out[0].port));
    assert_false(connects("127.0.0.1", out[0].port));
    listener_close(&out[0]);
}

TEST(test_localhost)
{
    struct listener out[2];
    char why[WHY_SIZE];
    size_t count = 0;

    assert_int_equal(listener_open("localhost", 0, out, &count, why), OK);
    assert_int_equal(count, 2);
    assert_open(&out[0], "127.0.0.1");
    assert_open(&out[1], "::1");
    assert_int_equal(out[0].port, out[1].port);
    listener_close(&out[0]);
    listener_close(&out[1]);
}

TEST(test_port_in_use)
{
    struct listener first[2], second[2] = {{.fd = -1}, {.fd = -1}}, third[2];
    char why[WHY_SIZE] = "", holder[128];
    size_t count;

    assert_int_equal(listener_open("127.0.0.1", 0, first, &count, why), OK);
    count = 7;
    assert_int_equal(listener_open("127.0.0.1", first[0].port, second, &count, why), ERROR_EXISTS);
    assert_int_equal(count, 7);
    assert_int_equal(second[0].fd, -1);
    assert_non_null(strstr(why, "127.0.0.1"));
    assert_non_null(strstr(why, "in use"));
    snprintf(holder, sizeof(holder), "held by uid %u, process %d (test_listener)", geteuid(),
             (int)getpid());
    assert_non_null(strstr(why, holder));
    /* Another address with that port is not what stands in the way. */
    assert_int_equal(listener_open("127.0.0.2", first[0].port, second, &count, why), OK);
    assert_int_equal(listener_open("127.0.0.2", first[0].port, third, &count, why), ERROR_EXISTS);
    assert_non_null(strstr(why, holder));
    listener_close(&second[0]);
    listener_close(&first[0]);
}

/* Somebody holds one of the two: then we want neither, and let go of the other. */
TEST(test_half_of_localhost_in_use)
{
    static const char *const halves[] = {"::1", "127.0.0.1"};

    for (size_t i = 0; i < 2; i++) {
        struct listener theirs[2], ours[2] = {{.fd = -1}, {.fd = -1}};
        char why[WHY_SIZE];
        size_t count;

        assert_int_equal(listener_open(halves[i], 0, theirs, &count, why), OK);
        assert_int_equal(listener_open("localhost", theirs[0].port, ours, &count, why),
                         ERROR_EXISTS);
        assert_int_equal(ours[0].fd, -1);
        assert_int_equal(ours[1].fd, -1);
        assert_non_null(strstr(why, halves[i]));
        assert_false(connects(halves[1 - i], theirs[0].port));
        listener_close(&theirs[0]);
    }
}

TEST(test_not_an_address)
{
    static const char *const hosts[] = {"",           "example.com", "127.1", "127.0.0.1 ", "[::1]",
                                        "0x7f000001", "::1%lo",      "*",     "LOCALHOST"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct listener out[2] = {{.fd = -1}, {.fd = -1}};
        char why[WHY_SIZE] = "";
        size_t count;

        assert_int_equal(listener_open(hosts[i], 0, out, &count, why), ERROR_INVALID);
        assert_true(strlen(why) > 0);
    }
}

TEST(test_address_of_nobody)
{
    struct listener out[2] = {{.fd = -1}, {.fd = -1}};
    char why[WHY_SIZE] = "";
    size_t count;

    assert_int_equal(listener_open("192.0.2.1", 0, out, &count, why), ERROR_IO);
    assert_int_equal(out[0].fd, -1);
    assert_non_null(strstr(why, "192.0.2.1"));
}

TEST(test_describe)
{
    struct listener out[2], inherited = {.fd = -1}, other;
    char why[WHY_SIZE];
    size_t count;
    int pair[2];

    assert_int_equal(listener_open("::1", 0, out, &count, why), OK);
    inherited.fd = out[0].fd;
    assert_int_equal(listener_describe(&inherited), OK);
    assert_string_equal(inherited.address, "::1");
    assert_int_equal(inherited.port, out[0].port);
    listener_close(&out[0]);
    assert_int_equal(listener_describe(&inherited), ERROR_IO); /* closed meanwhile */

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    other = (struct listener){.fd = pair[0]};
    assert_int_equal(listener_describe(&other), ERROR_INVALID);
    close(pair[0]);
    close(pair[1]);
}
