/*
 * tls.c: what passes between a client that speaks TLS and the plain end, both
 * ways, in small pieces and large, and how it ends.
 */
#include "tls_fixture.h"

#include "unit.h"

CMFixtureFunction unit_set_up = make_certificates, unit_tear_down = drop_certificates;

#define LARGE ((size_t)4 * 1024 * 1024)

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 + at / 251);
}

/* Bytes sent and received on one way. */
struct way {
    size_t sent, received, total;
    bool over; /* the receiver was told that no more comes */
};

static void fill(unsigned char *bytes, size_t from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern(from + i);
}

static void check(const unsigned char *bytes, size_t from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], pattern(from + i));
}

static void client_send(struct way *way, size_t piece)
{
    unsigned char bytes[65536];
    size_t length = way->total - way->sent < piece ? way->total - way->sent : piece;
    int sent;

    if (length == 0)
        return;
    fill(bytes, way->sent, length);
    sent = SSL_write(world.client, bytes, (int)length);
    if (sent > 0)
        way->sent += (size_t)sent;
}

static void client_receive(struct way *way, size_t piece)
{
    unsigned char bytes[65536];
    int received = SSL_read(world.client, bytes, (int)piece);

    if (received > 0) {
        check(bytes, way->received, (size_t)received);
        way->received += (size_t)received;
    } else if (SSL_get_error(world.client, received) == SSL_ERROR_ZERO_RETURN) {
        way->over = true;
    }
}

static void plain_send(struct way *way, size_t piece)
{
    unsigned char bytes[65536];
    size_t length = way->total - way->sent < piece ? way->total - way->sent : piece;
    ssize_t sent;

    if (length == 0)
        return;
    fill(bytes, way->sent, length);
    sent = send(world.plain, bytes, length, MSG_NOSIGNAL);
    if (sent > 0)
        way->sent += (size_t)sent;
}

static void plain_receive(struct way *way, size_t piece)
{
    unsigned char bytes[65536];
    ssize_t received = recv(world.plain, bytes, piece, 0);

    if (received > 0) {
        check(bytes, way->received, (size_t)received);
        way->received += (size_t)received;
    } else if (received == 0) {
        way->over = true;
    }
}

/* Both ways at once, in pieces of these sizes, until everything has arrived. */
static void exchange(size_t total, size_t sending, size_t receiving)
{
    struct way up = {.total = total}, down = {.total = total};

    for (unsigned i = 0; i < 100 * TURNS_MAX && (up.received < total || down.received < total);
         i++) {
        client_send(&up, sending);
        plain_send(&down, sending);
        turn();
        plain_receive(&up, receiving);
        client_receive(&down, receiving);
    }
    assert_int_equal(up.received, total);
    assert_int_equal(down.received, total);
    assert_false(up.over || down.over);
}

TEST(test_exchange)
{
    begin(false, false);
    expect_ready();
    assert_string_equal(world.certificate, "");
    exchange(10, 1, 1);
    exchange(LARGE, 65536, 65536);
    exchange(LARGE, 65536, 5000); /* whoever reads slowly slows the sender down */
    exchange(100000, 700, 65536);
    finish();
}

/* Nobody reads: what waits is bounded, however much is offered. */
TEST(test_bounded)
{
    struct way up = {.total = (size_t)64 * 1024 * 1024}, down = up;
    size_t before = 1;

    begin(false, false);
    expect_ready();
    while (before != up.sent + down.sent) {
        before = up.sent + down.sent;
        for (unsigned i = 0; i < TURNS_QUIET; i++) {
            client_send(&up, 65536);
            plain_send(&down, 65536);
            turn();
        }
    }
    /* Two kernel buffers and a record on each way. */
    assert_true(up.sent < (size_t)4 * 1024 * 1024);
    assert_true(down.sent < (size_t)4 * 1024 * 1024);
    finish();
}

/* The client says that it has said everything, and is still answered. */
TEST(test_client_ends)
{
    struct way up = {.total = 100000}, down = {.total = 100000};

    begin(false, false);
    expect_ready();
    for (unsigned i = 0; i < TURNS_MAX && !up.over; i++) {
        client_send(&up, 65536);
        if (up.sent == up.total && (SSL_get_shutdown(world.client) & SSL_SENT_SHUTDOWN) == 0)
            SSL_shutdown(world.client);
        turn();
        plain_receive(&up, 3000);
    }
    assert_int_equal(up.received, up.total);
    assert_true(up.over);
    for (unsigned i = 0; i < TURNS_MAX && down.received < down.total; i++) {
        plain_send(&down, 65536);
        turn();
        client_receive(&down, 3000);
    }
    assert_int_equal(down.received, down.total);
    assert_false(world.ended);
    close_plain();
    until_ended();
    client_receive(&down, 1);
    assert_true(down.over);
    finish();
}

/* The worker writes, and is gone: everything still arrives, with a close_notify. */
TEST(test_worker_ends)
{
    struct way down = {.total = 150000};

    begin(false, false);
    expect_ready();
    for (unsigned i = 0; i < TURNS_MAX && down.sent < down.total; i++) {
        plain_send(&down, 65536);
        turn();
    }
    assert_int_equal(down.sent, down.total);
    close_plain();
    tls_finish(world.tls);
    tls_finish(world.tls);
    for (unsigned i = 0; i < TURNS_MAX && !down.over; i++) {
        turn();
        client_receive(&down, 4000);
    }
    assert_int_equal(down.received, down.total);
    assert_true(down.over);
    until_ended();
    finish();
}

/* The kernel tells of bytes that the worker left unread; what it wrote arrives all the same. */
TEST(test_worker_ends_unread)
{
    struct way up = {.total = 20000}, down = {.total = 150000};

    begin(false, false);
    expect_ready();
    for (unsigned i = 0; i < TURNS_MAX && (up.sent < up.total || down.sent < down.total); i++) {
        client_send(&up, 65536);
        plain_send(&down, 65536);
        turn();
    }
    assert_int_equal(down.sent, down.total);
    close_plain();
    for (unsigned i = 0; i < TURNS_MAX && !down.over; i++) {
        turn();
        client_receive(&down, 4000);
    }
    assert_int_equal(down.received, down.total);
    assert_true(down.over);
    assert_true(tls_moved(world.tls));
    assert_false(tls_moved(world.tls));
    tls_finish(world.tls);
    until_ended();
    finish();
}

/* shutdown(SHUT_WR) reaches the client; what it says after that still reaches the worker. */
TEST(test_worker_ends_one_way)
{
    struct way up = {.total = 50000}, down = {.total = 10};

    begin(false, false);
    expect_ready();
    plain_send(&down, 10);
    shutdown(world.plain, SHUT_WR);
    for (unsigned i = 0; i < TURNS_MAX && !down.over; i++) {
        turn();
        client_receive(&down, 100);
    }
    assert_int_equal(down.received, down.total);
    for (unsigned i = 0; i < TURNS_MAX && up.received < up.total; i++) {
        client_send(&up, 65536);
        turn();
        plain_receive(&up, 65536);
    }
    assert_int_equal(up.received, up.total);
    assert_false(world.ended);
    hang_up();
    until_ended();
    finish();
}

TEST(test_client_gone)
{
    struct way up = {.total = 0};

    begin(false, false);
    expect_ready();
    hang_up();
    for (unsigned i = 0; i < TURNS_MAX && !up.over; i++) {
        turn();
        plain_receive(&up, 10);
    }
    assert_true(up.over);
    close_plain();
    until_ended();
    finish();
}
