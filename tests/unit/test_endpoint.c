/* endpoint.c: one descriptor's number after the other, each heard by who has it now. */
#include "unit.h"
#include "worker/client/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    struct endpoint endpoint; /* first */
    unsigned heard, closed;
    bool closes; /* as soon as it hears something */
};

static struct {
    uv_loop_t loop;
    struct endpoints endpoints;
} world;

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.endpoints.loop = &world.loop;
    return uv_loop_init(&world.loop);
}

static int finish(void **state)
{
    (void)state;
    endpoints_end(&world.endpoints);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    return uv_loop_close(&world.loop);
}

#define LOOP_TEST(test) TEST_BETWEEN(test, begin, finish)

static void on_ready(struct endpoint *endpoint, int status, int events)
{
    struct end *end = (struct end *)endpoint;
    char bytes[8];

    assert_int_equal(status, 0);
    assert_true((events & UV_READABLE) != 0);
    if (endpoint_receive(endpoint, bytes, sizeof(bytes)) <= 0)
        return;
    end->heard++;
    if (end->closes)
        endpoint_close(endpoint);
}

static void on_closed(struct endpoint *endpoint)
{
    ((struct end *)endpoint)->closed++;
}

static struct end new_end(void)
{
    return (struct end){.endpoint = {.ready = on_ready, .closed = on_closed}};
}

/* Opens it on one end of a pair; returns the other. */
static int open_end(struct end *end)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(endpoint_open(&end->endpoint, &world.endpoints, pair[0]), OK);
    endpoint_watch(&end->endpoint, UV_READABLE);
    return pair[1];
}

static void say(int peer)
{
    assert_int_equal(write(peer, "x", 1), 1);
}

static void turn(void)
{
    uv_run(&world.loop, UV_RUN_NOWAIT);
    endpoints_reap(&world.endpoints);
}

LOOP_TEST(test_the_next_of_a_number_is_heard)
{
    struct end one = new_end(), two = new_end();
    int peer = open_end(&one), fd = one.endpoint.fd, other;

    say(peer);
    turn();
    assert_int_equal(one.heard, 1);
    endpoint_close(&one.endpoint);
    assert_int_equal(one.closed, 0); /* its owner may be on the stack */
    other = open_end(&two);
    assert_int_equal(two.endpoint.fd, fd);
    say(other);
    turn();
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.heard, 1);
    assert_int_equal(two.heard, 1);
    endpoint_close(&two.endpoint);
    turn();
    assert_int_equal(two.closed, 1);
    close(peer);
    close(other);
}

/* A copy of the descriptor is somebody else's meanwhile: the loop is not told by that one. */
LOOP_TEST(test_a_copy_that_stays_open_is_not_heard)
{
    struct end one = new_end(), two = new_end();
    int peer = open_end(&one), copy = dup(one.endpoint.fd), other;

    turn();
    endpoint_close(&one.endpoint);
    other = open_end(&two);
    say(peer);
    turn();
    turn();
    assert_int_equal(one.heard, 0);
    assert_int_equal(two.heard, 0);
    endpoint_close(&two.endpoint);
    turn();
    close(copy);
    close(peer);
    close(other);
}

static void on_failed(struct endpoint *endpoint, int status, int events)
{
    (void)events;
    assert_true(status < 0);
    endpoint_close(endpoint);
}

/* Both ends of a connection that can be reset. */
static void open_tcp(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(door, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&address, &length), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair[1], (struct sockaddr *)&address, sizeof(address)), 0);
    pair[0] = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(pair[0] >= 0);
    close(door);
}

/* Nor of an error that stays there, which is told of whatever is watched for. */
LOOP_TEST(test_a_copy_that_failed_is_not_heard)
{
    struct linger none = {.l_onoff = 1};
    struct end one = new_end(), two = new_end();
    int pair[2] = {-1, -1}, fill, copy, other;

    open_tcp(pair);
    copy = dup(pair[0]);
    one.endpoint.ready = on_failed;
    assert_int_equal(endpoint_open(&one.endpoint, &world.endpoints, pair[0]), OK);
    endpoint_watch(&one.endpoint, UV_READABLE);
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    close(pair[1]);
    turn();
    assert_int_equal(one.closed, 1);
    fill = dup(copy); /* the lower number that has become free */
    other = open_end(&two);
    assert_int_equal(two.endpoint.fd, pair[0]);
    turn();
    assert_int_equal(two.heard, 0);
    say(other);
    turn();
    assert_int_equal(two.heard, 1);
    endpoint_close(&two.endpoint);
    turn();
    close(fill);
    close(copy);
    close(other);
}

/* Two are ready in one turn: the first to hear closes the other, and a third has its number. */
static struct end *victim, *heir;
static int heirs_peer;

static void on_ready_of_first(struct endpoint *endpoint, int status, int events)
{
    struct end *end = (struct end *)endpoint;

    (void)status;
    (void)events;
    if (end->heard++ > 0)
        return;
    endpoint_watch(endpoint, 0);
    if (victim->heard > 0)
        return;
    endpoint_close(&victim->endpoint);
    heirs_peer = open_end(heir);
}

LOOP_TEST(test_what_came_for_the_last_is_not_for_the_next)
{
    struct end one = new_end(), two = new_end(), three = new_end();
    int peer = open_end(&one), other = open_end(&two);

    one.endpoint.ready = two.endpoint.ready = on_ready_of_first;
    victim = &two;
    heir = &three;
    heirs_peer = -1;
    endpoint_watch(&one.endpoint, UV_READABLE);
    say(peer);
    say(other);
    turn();
    if (heirs_peer < 0) { /* the loop told the second first */
        assert_int_equal(two.heard, 1);
        endpoint_close(&two.endpoint);
    } else {
        assert_int_equal(three.heard, 0);
        say(heirs_peer);
        turn();
        assert_int_equal(three.heard, 1);
        endpoint_close(&three.endpoint);
        close(heirs_peer);
    }
    endpoint_close(&one.endpoint);
    turn();
    close(peer);
    close(other);
}

LOOP_TEST(test_it_may_close_when_it_hears)
{
    struct end end = new_end();
    int peer = open_end(&end);

    end.closes = true;
    say(peer);
    turn();
    assert_int_equal(end.heard, 1);
    assert_int_equal(end.closed, 1);
    close(peer);
}

LOOP_TEST(test_another_goes_on_with_it)
{
    struct end one = new_end(), two = new_end();
    int peer = open_end(&one);

    endpoint_move(&two.endpoint, &one.endpoint);
    endpoint_close(&one.endpoint);
    say(peer);
    turn();
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.heard, 0);
    assert_int_equal(two.heard, 1);
    endpoint_close(&two.endpoint);
    turn();
    assert_int_equal(two.closed, 1);
    close(peer);
}

/* What is there already is heard without a turn of the loop. */
LOOP_TEST(test_a_look_needs_no_turn)
{
    struct end end = new_end();
    int peer = open_end(&end);

    endpoint_look(&end.endpoint);
    assert_int_equal(end.heard, 0);
    say(peer);
    endpoint_look(&end.endpoint);
    assert_int_equal(end.heard, 1);
    endpoint_close(&end.endpoint);
    turn();
    close(peer);
}

LOOP_TEST(test_many_at_once)
{
    enum { COUNT = 200 };
    static struct end ends[COUNT];
    int peers[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        ends[i] = new_end();
        peers[i] = open_end(&ends[i]);
        say(peers[i]);
    }
    turn();
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i].heard, 1);
        endpoint_close(&ends[i].endpoint);
        close(peers[i]);
    }
    turn();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(ends[i].closed, 1);
}
