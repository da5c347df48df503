/*
 * tls.c under endpoint.c: what passes between a client that speaks TLS and the gate, both
 * ways, in small pieces and large, and how it ends.
 */
#include "tls_fixture.h"

#include "unit.h"

#include <errno.h>
#include <sys/ioctl.h>

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

/* The gate's side of the two ways. */
static struct way *gate_up, *gate_down;
static size_t gate_room, gate_piece;

static void gate_send(struct way *way, size_t piece)
{
    static unsigned char bytes[65536];
    size_t length = way->total - way->sent < piece ? way->total - way->sent : piece;
    const struct iovec parts[2] = {{bytes, length / 3}, {bytes + length / 3, length - length / 3}};

    if (length == 0 || !outgoing_empty(&world.gate.out))
        return;
    fill(bytes, way->sent, length);
    assert_true(endpoint_send(&world.gate, parts, 2));
    way->sent += length;
}

static void gate_receive(struct way *way, size_t room)
{
    static unsigned char bytes[65536];
    ssize_t received = endpoint_receive(&world.gate, bytes, room);

    if (received > 0) {
        check(bytes, way->received, (size_t)received);
        way->received += (size_t)received;
    } else if (received == 0) {
        way->over = true;
    } else {
        assert_int_equal(errno, EAGAIN);
    }
}

static void watch(void)
{
    endpoint_watch(&world.gate, (gate_up->over ? 0 : UV_READABLE) |
                                    (outgoing_empty(&world.gate.out) ? 0 : UV_WRITABLE));
}

static void act(int status, int events)
{
    assert_int_equal(status, 0);
    if ((events & UV_WRITABLE) != 0)
        assert_true(endpoint_flush(&world.gate));
    if ((events & UV_READABLE) != 0)
        gate_receive(gate_up, gate_room);
    gate_send(gate_down, gate_piece);
    watch();
}

static void carry(struct way *up, struct way *down, size_t sending, size_t receiving)
{
    gate_up = up;
    gate_down = down;
    gate_room = receiving;
    gate_piece = sending;
    world.act = act;
    gate_send(down, sending);
    watch();
}

/* Both ways at once, in pieces of these sizes, until everything has arrived. */
static void exchange(size_t total, size_t sending, size_t receiving)
{
    struct way up = {.total = total}, down = {.total = total};

    carry(&up, &down, sending, receiving);
    for (unsigned i = 0; i < 100 * TURNS_MAX && (up.received < total || down.received < total);
         i++) {
        client_send(&up, sending);
        turn();
        gate_send(&down, sending);
        watch();
        client_receive(&down, receiving);
    }
    assert_int_equal(up.received, total);
    assert_int_equal(down.received, total);
    assert_false(up.over || down.over);
    world.act = NULL;
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

/*
 * What TLS has read ahead is told of although the socket has nothing any more: at once, and when
 * it is watched for again.
 */
TEST(test_read_ahead)
{
    struct way up = {.total = 12000}, down = {.total = 0};

    begin(false, false);
    expect_ready();
    carry(&up, &down, 1, 100);
    endpoint_watch(&world.gate, 0);
    for (unsigned i = 0; i < 12; i++)
        client_send(&up, 1000);
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_int_equal(up.received, 0);
    /* One read takes all of it from the socket. */
    endpoint_watch(&world.gate, UV_READABLE);
    turn();
    assert_in_range(up.received, 100, 11999);
    endpoint_watch(&world.gate, 0);
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_in_range(up.received, 100, 11999);
    endpoint_watch(&world.gate, UV_READABLE);
    for (unsigned i = 0; i < TURNS_MAX && up.received < up.total; i++)
        turn();
    assert_int_equal(up.received, up.total);
    finish();
}

/* A record of which only the beginning has come is no reason to turn round and round. */
TEST(test_half_a_record)
{
    static unsigned char record[4096];
    struct way up = {.total = 1000}, down = {.total = 0};
    BIO *bio = BIO_new(BIO_s_mem());
    int length;

    begin(false, false);
    expect_ready();
    carry(&up, &down, 1, 65536);
    BIO_up_ref(bio);
    SSL_set0_wbio(world.client, bio);
    client_send(&up, 1000);
    length = BIO_read(bio, record, sizeof(record));
    assert_true(length > 1000);
    assert_int_equal(write(world.client_fd, record, 500), 500);
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_int_equal(up.received, 0);
    assert_int_equal(world.gate.watched, UV_READABLE);
    assert_int_equal(write(world.client_fd, record + 500, (size_t)length - 500), length - 500);
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_int_equal(up.received, 1000);
    BIO_free(bio);
    finish();
}

/* The client says that it has said everything, and is still answered. */
TEST(test_client_ends)
{
    struct way up = {.total = 100000}, down = {.total = 0};

    begin(false, false);
    expect_ready();
    carry(&up, &down, 65536, 3000);
    for (unsigned i = 0; i < TURNS_MAX && !up.over; i++) {
        client_send(&up, 65536);
        if (up.sent == up.total && (SSL_get_shutdown(world.client) & SSL_SENT_SHUTDOWN) == 0)
            SSL_shutdown(world.client);
        turn();
    }
    assert_int_equal(up.received, up.total);
    assert_true(up.over);
    down.total = 100000;
    for (unsigned i = 0; i < TURNS_MAX && down.received < down.total; i++) {
        gate_send(&down, 65536);
        watch();
        turn();
        client_receive(&down, 3000);
    }
    assert_int_equal(down.received, down.total);
    assert_false(down.over);
    close_gate();
    client_receive(&down, 1);
    assert_true(down.over);
    finish();
}

/* The gate says that it has said everything; what the client says after that still arrives. */
TEST(test_gate_ends_one_way)
{
    struct way up = {.total = 50000}, down = {.total = 10};

    begin(false, false);
    expect_ready();
    carry(&up, &down, 10, 65536);
    endpoint_finish(&world.gate);
    for (unsigned i = 0; i < TURNS_MAX && !down.over; i++) {
        turn();
        client_receive(&down, 100);
    }
    assert_int_equal(down.received, down.total);
    for (unsigned i = 0; i < TURNS_MAX && up.received < up.total; i++) {
        client_send(&up, 65536);
        turn();
    }
    assert_int_equal(up.received, up.total);
    finish();
}

TEST(test_client_gone)
{
    struct way up = {.total = 0}, down = {.total = 0};

    begin(false, false);
    expect_ready();
    carry(&up, &down, 1, 10);
    hang_up();
    for (unsigned i = 0; i < TURNS_MAX && !up.over; i++)
        turn();
    assert_true(up.over);
    finish();
}

/* Nothing but new keys, without end: one call does not work through all that are there. */
TEST(test_keys_alone)
{
    struct way up = {.total = 0}, down = {.total = 10};
    static unsigned char records[100000];
    unsigned char out[16];
    BIO *bio = BIO_new(BIO_s_mem());
    int length, left = 0;

    begin(false, false);
    expect_ready();
    carry(&up, &down, 10, 65536);
    BIO_up_ref(bio);
    SSL_set0_wbio(world.client, bio);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(SSL_key_update(world.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(world.client), 1);
    }
    length = BIO_read(bio, records, sizeof(records));
    assert_int_equal(write(world.client_fd, records, (size_t)length), length);
    assert_int_equal(tls_receive(world.gate.tls, out, sizeof(out)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(ioctl(world.gate.fd, FIONREAD, &left), 0);
    assert_true(left > 0);
    for (unsigned i = 0; i < TURNS_QUIET; i++)
        turn();
    assert_int_equal(ioctl(world.gate.fd, FIONREAD, &left), 0);
    assert_int_equal(left, 0);
    BIO_free(bio);
    finish();
}

/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type of such a function */
static int read_later(BIO *bio, char *bytes, int length)
{
    (void)bytes;
    (void)length;
    BIO_set_retry_write(bio);
    return -1;
}

static long no_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)command;
    (void)number;
    (void)pointer;
    return 0;
}

/* TLS has to write before it reads on, which is nothing to be woken for as long as nobody wants to
 * read. */
TEST(test_nobody_reads)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "to be written to first");
    unsigned char byte;
    SSL *ssl;
    BIO *bio;

    begin(false, false);
    expect_ready();
    ssl = *(SSL **)(void *)world.gate.tls; /* its first member */
    BIO_meth_set_read(method, read_later);
    BIO_meth_set_ctrl(method, no_control);
    bio = BIO_new(method);
    BIO_set_init(bio, 1);
    SSL_set0_rbio(ssl, bio);
    assert_int_equal(endpoint_receive(&world.gate, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(tls_wants_write(world.gate.tls));
    endpoint_watch(&world.gate, 0);
    assert_int_equal(world.gate.watched, 0);
    endpoint_watch(&world.gate, UV_READABLE);
    assert_int_equal(world.gate.watched, UV_READABLE | UV_WRITABLE);
    finish();
    BIO_meth_free(method);
}
