/* caller.c: the uid at the other end, and never a uid that is not there. */
#include "system/caller.h"

#include "unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY    65534
#define UNTOUCHED 4242
#define SETTLE_S  2 /* for a connection that lingers one second */
#define QUESTIONS 1000

static struct caller_lookup *lookup;

/* A connection over loopback: our end as a server would have it, and the client's. */
struct link {
    int listener, client, accepted;
    struct sockaddr_storage client_address;
    socklen_t client_length;
};

static socklen_t loopback(int family, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    out->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*v4);
    }
    v6->sin6_addr = in6addr_loopback;
    return sizeof(*v6);
}

static int listen_at(struct sockaddr_storage *address, socklen_t length)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static struct link connect_link(int family)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(family, &address);
    struct link link = {.client_length = sizeof(link.client_address)};

    link.listener = listen_at(&address, length);
    link.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(link.client, (struct sockaddr *)&address, length), 0);
    assert_int_equal(
        getsockname(link.client, (struct sockaddr *)&link.client_address, &link.client_length), 0);
    link.accepted = accept4(link.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(link.accepted >= 0);
    return link;
}

static void close_link(struct link *link)
{
    close(link->listener);
    close(link->accepted);
    if (link->client >= 0)
        close(link->client);
}

static void expect_nobody(int fd, enum error wanted)
{
    uint32_t uid = UNTOUCHED;

    assert_int_equal(caller_uid(lookup, fd, &uid), wanted);
    assert_int_equal(uid, UNTOUCHED);
}

TEST(test_ourselves)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < 2; i++) {
        struct link link = connect_link(families[i]);
        uint32_t uid = UNTOUCHED;

        assert_int_equal(caller_uid(lookup, link.accepted, &uid), OK);
        assert_int_equal(uid, getuid());
        close_link(&link);
    }
}

/* A client that speaks IPv4 to a socket of both families. */
TEST(test_mapped)
{
    struct sockaddr_storage address;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    socklen_t length = loopback(AF_INET6, &address);
    uint32_t uid = UNTOUCHED;
    int listener, client, accepted;

    ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_any;
    listener = listen_at(&address, length);
    v4.sin_port = ((struct sockaddr_in6 *)&address)->sin6_port;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&v4, sizeof(v4)), 0);
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(caller_uid(lookup, accepted, &uid), OK);
    assert_int_equal(uid, getuid());
    close(listener);
    close(client);
    close(accepted);
}

/* Another user's process: the uid is its own, not that of who looks. */
TEST(test_another_user)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(AF_INET, &address);
    uint32_t uid = UNTOUCHED;
    int listener, accepted;
    pid_t child;

    if (getuid() != 0)
        skip(); /* only root can become somebody else */
    listener = listen_at(&address, length);
    child = fork();
    if (child == 0) {
        int client;

        if (setuid(NOBODY) < 0)
            _exit(1);
        client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&address, length) < 0)
            _exit(1);
        (void)!read(client, &uid, 1); /* stays until we have looked */
        _exit(0);
    }
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    assert_int_equal(caller_uid(lookup, accepted, &uid), OK);
    assert_int_equal(uid, NOBODY);
    close(accepted);
    close(listener);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A closed socket is nobody's: the kernel then says uid 0, which must not pass for root. */
TEST(test_peer_has_closed)
{
    struct link link = connect_link(AF_INET);

    close(link.client);
    link.client = -1;
    expect_nobody(link.accepted, ERROR_NOT_FOUND);
    close_link(&link);
}

TEST(test_peer_has_reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct link link = connect_link(AF_INET);

    assert_int_equal(setsockopt(link.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(link.client);
    link.client = -1;
    expect_nobody(link.accepted, ERROR_NOT_FOUND);
    close_link(&link);
}

/*
 * The peer has closed so long ago that the kernel forgot it, and somebody
 * listens on its port now: asked for the connection, the kernel offers the
 * listener.
 */
TEST(test_port_has_a_listener_now)
{
    struct sockaddr_storage address, bound;
    socklen_t length = loopback(AF_INET, &address), bound_length = loopback(AF_INET, &bound);
    int listener = listen_at(&address, length), second = 1, on = 1, accepted, newcomer;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(client, IPPROTO_TCP, TCP_LINGER2, &second, sizeof(second)), 0);
    assert_int_equal(bind(client, (struct sockaddr *)&bound, bound_length), 0);
    assert_int_equal(getsockname(client, (struct sockaddr *)&bound, &bound_length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    close(client);
    nanosleep(&(struct timespec){.tv_sec = SETTLE_S}, NULL);
    newcomer = listen_at(&bound, bound_length);
    expect_nobody(accepted, ERROR_NOT_FOUND);
    close(newcomer);
    close(accepted);
    close(listener);
}

TEST(test_not_a_connection)
{
    struct sockaddr_storage address;
    socklen_t length = loopback(AF_INET, &address);
    int pair[2], listener = listen_at(&address, length);

    expect_nobody(listener, ERROR_NOT_FOUND);
    expect_nobody(-1, ERROR_NOT_FOUND);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    expect_nobody(pair[0], ERROR_INVALID);
    close(pair[0]);
    close(pair[1]);
    close(listener);
}

/* An answer to an older question that was given up is not taken for an answer to this one. */
TEST(test_late_answer)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {.header = {.nlmsg_len = sizeof(question),
                             .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                             .nlmsg_flags = NLM_F_REQUEST,
                             .nlmsg_seq = UINT32_MAX},
                  .request = {.sdiag_family = AF_INET,
                              .sdiag_protocol = IPPROTO_TCP,
                              .idiag_states = UINT32_MAX}};
    struct link link = connect_link(AF_INET);
    uint32_t uid = UNTOUCHED;

    /* Answered with an error, as there is no such socket. */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send(lookup->fd, &question, sizeof(question), 0),
                         (ssize_t)sizeof(question));
    assert_int_equal(caller_uid(lookup, link.accepted, &uid), OK);
    assert_int_equal(uid, getuid());
    close_link(&link);
}

TEST(test_many_questions)
{
    struct link open = connect_link(AF_INET), closed = connect_link(AF_INET);

    close(closed.client);
    closed.client = -1;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        uint32_t uid = UNTOUCHED;

        assert_int_equal(caller_uid(lookup, open.accepted, &uid), OK);
        assert_int_equal(uid, getuid());
        expect_nobody(closed.accepted, ERROR_NOT_FOUND);
    }
    close_link(&open);
    close_link(&closed);
}

/* Of a listener, whichever address it is bound to; of nobody, nothing. */
TEST(test_listener)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_storage address, any;
        socklen_t length = loopback(families[i], &address);
        uint32_t uid = UNTOUCHED, inode = 0, other = 0;
        int fd = listen_at(&address, length);

        assert_int_equal(caller_listener(lookup, (const struct sockaddr *)&address, &uid, &inode),
                         OK);
        assert_int_equal(uid, geteuid());
        assert_true(inode != 0);
        close(fd);
        uid = UNTOUCHED;
        assert_int_equal(caller_listener(lookup, (const struct sockaddr *)&address, &uid, &inode),
                         ERROR_NOT_FOUND);
        assert_int_equal(uid, UNTOUCHED);
        /* One that listens everywhere listens there, too. */
        any = address;
        if (families[i] == AF_INET)
            ((struct sockaddr_in *)&any)->sin_addr.s_addr = htonl(INADDR_ANY);
        else
            ((struct sockaddr_in6 *)&any)->sin6_addr = in6addr_any;
        fd = listen_at(&any, length);
        assert_int_equal(caller_listener(lookup, (const struct sockaddr *)&address, &uid, &other),
                         OK);
        assert_true(other != inode && uid == geteuid());
        close(fd);
    }
}

static int create(void **state)
{
    (void)state;
    return caller_lookup_create(&lookup) == OK ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    caller_lookup_destroy(lookup);
    caller_lookup_destroy(NULL);
    return 0;
}

CMFixtureFunction unit_set_up = create, unit_tear_down = destroy;
