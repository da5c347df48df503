/* twin.c: what was set on a socket is set on the one that takes its place. */
#include "launch/calls/twin.h"

#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int number_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static const struct {
    int level, name, value;
} options[] = {
    {SOL_SOCKET, SO_REUSEADDR, 1},      {SOL_SOCKET, SO_REUSEPORT, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},      {SOL_SOCKET, SO_RCVLOWAT, 17},
    {SOL_SOCKET, SO_RCVBUF, 30000},     {SOL_SOCKET, SO_SNDBUF, 40000},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1},     {IPPROTO_TCP, TCP_NODELAY, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, 33},    {IPPROTO_TCP, TCP_KEEPINTVL, 44},
    {IPPROTO_TCP, TCP_KEEPCNT, 5},      {IPPROTO_TCP, TCP_USER_TIMEOUT, 66000},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 3}, {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
};
#define COUNT (sizeof(options) / sizeof(options[0]))

TEST(test_options_travel)
{
    int original = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int twin = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(
            setsockopt(original, options[i].level, options[i].name, &options[i].value, sizeof(int)),
            0);
    twin_copy_options(original, twin);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(number_of(twin, options[i].level, options[i].name),
                         number_of(original, options[i].level, options[i].name));
    assert_true((fcntl(twin, F_GETFL) & O_NONBLOCK) != 0);
    close(original);
    close(twin);
}

/* Where nothing was set the twin is as the kernel makes it: buffers adapt. */
TEST(test_defaults_stay)
{
    int original = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int twin = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    twin_copy_options(original, twin);
    assert_int_equal(number_of(twin, SOL_SOCKET, 72 /* SO_BUF_LOCK */), 0);
    assert_int_equal(fcntl(twin, F_GETFL) & O_NONBLOCK, 0);
    close(original);
    close(twin);
}

TEST(test_structures_travel)
{
    int original = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int twin = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger linger = {1, 5}, seen = {0};
    struct timeval timeout = {3, 0}, waited = {0};
    socklen_t length = sizeof(seen);

    setsockopt(original, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    setsockopt(original, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    twin_copy_options(original, twin);
    assert_int_equal(getsockopt(twin, SOL_SOCKET, SO_LINGER, &seen, &length), 0);
    assert_int_equal(seen.l_linger, 5);
    length = sizeof(waited);
    assert_int_equal(getsockopt(twin, SOL_SOCKET, SO_RCVTIMEO, &waited, &length), 0);
    assert_int_equal(waited.tv_sec, 3);
    close(original);
    close(twin);
}
