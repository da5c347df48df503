#include "launch/calls/twin.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

/* socket(7): which of the two buffers' sizes were set (5.14). */
#define BUFFER_LOCK  72
#define LOCK_SEND    1
#define LOCK_RECEIVE 2

#define OPTION_BYTES_MAX 64

/* Numbers of which a fresh socket has the default: only those that differ are set. */
static const struct option {
    int level, name;
} options[] = {
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_TIMESTAMP},
    {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_BUSY_POLL},
    {SOL_SOCKET, SO_ZEROCOPY},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_FREEBIND},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_RECVERR},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_FREEBIND},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_MAXSEG},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_UDP, 104 /* UDP_GRO */},
};

static void copy_number(int original, int twin, int level, int name)
{
    int there = 0, here = 0;
    socklen_t there_length = sizeof(there), here_length = sizeof(here);

    if (getsockopt(original, level, name, &there, &there_length) < 0 ||
        getsockopt(twin, level, name, &here, &here_length) < 0 || there == here)
        return;
    (void)setsockopt(twin, level, name, &there, there_length);
}

/* Structures: SO_LINGER, time-outs. */
static void copy_bytes(int original, int twin, int name)
{
    char value[OPTION_BYTES_MAX];
    socklen_t length = sizeof(value);

    if (getsockopt(original, SOL_SOCKET, name, value, &length) == 0)
        (void)setsockopt(twin, SOL_SOCKET, name, value, length);
}

/* The kernel doubles what is set (socket(7)) and adapts what is not. */
static void copy_buffer(int original, int twin, int name, int lock)
{
    int locks = 0, size = 0;
    socklen_t length = sizeof(locks);

    if (getsockopt(original, SOL_SOCKET, BUFFER_LOCK, &locks, &length) < 0 || (locks & lock) == 0)
        return;
    length = sizeof(size);
    if (getsockopt(original, SOL_SOCKET, name, &size, &length) < 0)
        return;
    size /= 2;
    (void)setsockopt(twin, SOL_SOCKET, name, &size, sizeof(size));
}

void twin_copy_options(int original, int twin)
{
    int flags = fcntl(original, F_GETFL);

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        copy_number(original, twin, options[i].level, options[i].name);
    copy_bytes(original, twin, SO_LINGER);
    copy_bytes(original, twin, SO_RCVTIMEO);
    copy_bytes(original, twin, SO_SNDTIMEO);
    copy_buffer(original, twin, SO_SNDBUF, LOCK_SEND);
    copy_buffer(original, twin, SO_RCVBUF, LOCK_RECEIVE);
    if (flags >= 0)
        (void)fcntl(twin, F_SETFL, flags & (O_NONBLOCK | O_ASYNC));
}
