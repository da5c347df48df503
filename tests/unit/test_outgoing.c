/* outgoing.c: bytes to a peer that takes them when it likes. */
#include "system/outgoing.h"

#include "base/pace.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY_BYTES (1024 * 1024) /* more than any socket buffer here */
#define SMALL      100000

struct link {
    int ends[2]; /* ours, and the peer's */
    struct outgoing_peer peer;
    struct outgoing out;
};

static int set_up(void **state)
{
    struct link *link = calloc(1, sizeof(*link));
    int size = 16384;

    if (link == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, link->ends) < 0 ||
        setsockopt(link->ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        return -1;
    link->peer = outgoing_socket(link->ends[0]);
    *state = link;
    return 0;
}

static int tear_down(void **state)
{
    struct link *link = *state;

    outgoing_clear(&link->out);
    close(link->ends[0]);
    if (link->ends[1] >= 0)
        close(link->ends[1]);
    free(link);
    return 0;
}

static struct iovec part(const void *bytes, size_t length)
{
    return (struct iovec){(void *)(uintptr_t)bytes, length};
}

/* Takes what has come, at most `max` bytes of it. */
static size_t take(const struct link *link, unsigned char *out, size_t max)
{
    size_t length = 0;
    ssize_t received;

    while (length < max && (received = recv(link->ends[1], out + length, max - length, 0)) > 0)
        length += (size_t)received;
    return length;
}

/* Every byte tells its place. */
static unsigned char *numbered(size_t length)
{
    unsigned char *bytes = malloc(length);

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    return bytes;
}

#define OUTGOING_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

OUTGOING_TEST(test_drips_are_no_progress)
{
    struct link *link = *state;
    unsigned char *bytes = numbered(MANY_BYTES), *taken = malloc(MANY_BYTES);
    const struct iovec all = part(bytes, MANY_BYTES);
    uint64_t now_ms = 1000;

    assert_non_null(taken);
    assert_true(outgoing_send(&link->out, &link->peer, now_ms, &all, 1));
    assert_int_equal(link->out.progress_ms, now_ms);
    /* Nothing, then what is worth a second of those that went by. */
    now_ms += 10000;
    assert_true(outgoing_flush(&link->out, &link->peer, now_ms));
    assert_int_equal(link->out.progress_ms, 1000);
    assert_int_equal(pace_pay(1000, now_ms, PACE_BYTES_PER_SECOND), 2000);
    assert_int_equal(pace_pay(1000, now_ms, 0), 1000);
    assert_int_equal(pace_pay(1000, now_ms, UINT32_MAX), now_ms);
    assert_int_equal(pace_pay(now_ms, now_ms, 5), now_ms);
    /* A peer that takes all there is has caught up. */
    assert_true(take(link, taken, MANY_BYTES) > 0);
    assert_true(outgoing_flush(&link->out, &link->peer, now_ms));
    assert_int_equal(link->out.progress_ms, now_ms);
    free(bytes);
    free(taken);
}

OUTGOING_TEST(test_at_once)
{
    struct link *link = *state;
    const struct iovec parts[] = {part("one", 3), part(NULL, 0), part(" two ", 5), part("3", 1)};
    unsigned char text[32];

    assert_true(outgoing_send(&link->out, &link->peer, 5, parts, 4));
    assert_true(outgoing_empty(&link->out));
    assert_null(link->out.data);
    assert_int_equal(take(link, text, sizeof(text)), 9);
    assert_memory_equal(text, "one two 3", 9);
}

OUTGOING_TEST(test_nothing)
{
    struct link *link = *state;
    const struct iovec parts[] = {part(NULL, 0), part("", 0)};

    assert_true(outgoing_send(&link->out, &link->peer, 5, parts, 2));
    assert_true(outgoing_send(&link->out, &link->peer, 5, NULL, 0));
    assert_true(outgoing_flush(&link->out, &link->peer, 5));
    assert_true(outgoing_empty(&link->out));
}

/* In three parts, cut anywhere, to a peer that takes some now and then. */
static void send_in_parts(struct link *link, size_t first, size_t second)
{
    unsigned char *bytes = numbered(MANY_BYTES), *received = malloc(MANY_BYTES);
    const struct iovec parts[] = {part(bytes, first), part(bytes + first, second - first),
                                  part(bytes + second, MANY_BYTES - second)};
    size_t length = 0;

    assert_non_null(received);
    assert_true(outgoing_send(&link->out, &link->peer, 1, parts, 3));
    assert_false(outgoing_empty(&link->out));
    while (length < MANY_BYTES) {
        size_t more = MANY_BYTES - length < 5000 ? MANY_BYTES - length : 5000;
        size_t taken = take(link, received + length, more);

        assert_true(taken > 0);
        length += taken;
        assert_true(outgoing_flush(&link->out, &link->peer, 2));
    }
    assert_true(outgoing_empty(&link->out));
    assert_memory_equal(received, bytes, MANY_BYTES);
    assert_int_equal(take(link, received, 1), 0);
    free(bytes);
    free(received);
}

OUTGOING_TEST(test_in_parts)
{
    static const size_t cuts[][2] = {{0, 0},           {1, 2},
                                     {10, 10000},      {30000, 30001},
                                     {100000, 100000}, {MANY_BYTES - 1, MANY_BYTES}};

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
        send_in_parts(*state, cuts[i][0], cuts[i][1]);
}

/* What comes while something is left goes behind it, even if the socket would take it now. */
OUTGOING_TEST(test_order)
{
    struct link *link = *state;
    unsigned char *bytes = numbered(SMALL + 26), *received = malloc(SMALL + 26);
    const struct iovec first = part(bytes, SMALL);
    size_t length;

    assert_non_null(received);
    assert_true(outgoing_send(&link->out, &link->peer, 1, &first, 1));
    assert_false(outgoing_empty(&link->out));
    length = take(link, received, SMALL);
    for (size_t i = 0; i < 26; i += 2) {
        const struct iovec two[] = {part(bytes + SMALL + i, 1), part(bytes + SMALL + i + 1, 1)};

        assert_true(outgoing_send(&link->out, &link->peer, 1, two, 2));
    }
    assert_int_equal(take(link, received + length, SMALL), 0);
    while (!outgoing_empty(&link->out)) {
        assert_true(outgoing_flush(&link->out, &link->peer, 1));
        length += take(link, received + length, SMALL + 26 - length);
    }
    assert_int_equal(length, SMALL + 26);
    assert_memory_equal(received, bytes, SMALL + 26);
    free(bytes);
    free(received);
}

/* A stalled peer's clock runs from when bytes were last taken, whatever is added. */
OUTGOING_TEST(test_progress)
{
    struct link *link = *state;
    unsigned char *bytes = numbered(MANY_BYTES);
    const struct iovec all = part(bytes, MANY_BYTES), more = part("x", 1);

    assert_true(outgoing_send(&link->out, &link->peer, 100, &all, 1));
    assert_int_equal(link->out.progress_ms, 100);
    assert_true(outgoing_flush(&link->out, &link->peer, 200));
    assert_true(outgoing_send(&link->out, &link->peer, 300, &more, 1));
    assert_int_equal(link->out.progress_ms, 100);
    assert_true(take(link, bytes, MANY_BYTES) > 0);
    assert_true(outgoing_flush(&link->out, &link->peer, 400));
    assert_int_equal(link->out.progress_ms, 400);
    outgoing_clear(&link->out);
    assert_true(outgoing_empty(&link->out));
    /* A socket that takes nothing at all: the clock starts now. */
    assert_true(outgoing_send(&link->out, &link->peer, 500, &more, 1));
    assert_int_equal(link->out.progress_ms, 500);
    assert_int_equal(link->out.length, 1);
    free(bytes);
}

/* A head and a block, which is ours no more, to a peer that had something left or not. */
static void send_block(struct link *link, size_t head_bytes, size_t left_bytes)
{
    const size_t offset = 64, length = MANY_BYTES - head_bytes;
    unsigned char *bytes = numbered(left_bytes + MANY_BYTES), *received = malloc(MANY_BYTES);
    struct iovec left = part(bytes, left_bytes), head = part(bytes + left_bytes, head_bytes);
    struct outgoing block = {.data = malloc(offset + length),
                             .length = length,
                             .offset = offset,
                             .capacity = offset + length};
    size_t at = 0, taken;

    assert_non_null(block.data);
    assert_non_null(received);
    memcpy(block.data + offset, bytes + left_bytes + head_bytes, length);
    assert_true(outgoing_send(&link->out, &link->peer, 1, &left, left_bytes > 0 ? 1 : 0));
    at = take(link, received, left_bytes < 20000 ? left_bytes : 20000); /* makes some room */
    assert_memory_equal(received, bytes, at);
    assert_true(outgoing_send_block(&link->out, &link->peer, 1, &head, &block));
    assert_null(block.data);
    assert_false(outgoing_empty(&link->out));
    /* What is kept is counted, whoever's memory it was. */
    assert_true(link->out.capacity >= link->out.offset + link->out.length);
    while (at < left_bytes + MANY_BYTES) {
        taken = take(link, received, 5000);
        assert_true(taken > 0);
        assert_memory_equal(received, bytes + at, taken);
        at += taken;
        assert_true(outgoing_flush(&link->out, &link->peer, 2));
    }
    assert_true(outgoing_empty(&link->out));
    assert_int_equal(take(link, received, 1), 0);
    free(bytes);
    free(received);
}

OUTGOING_TEST(test_block)
{
    send_block(*state, 0, 0);
    send_block(*state, 200, 0);
    send_block(*state, 200, SMALL);
    send_block(*state, MANY_BYTES - 1, 0); /* the head alone is more than the peer takes */
}

OUTGOING_TEST(test_small_block)
{
    struct link *link = *state;
    struct outgoing block = {.data = malloc(3), .length = 3};
    const struct iovec head = part("head ", 5);
    unsigned char text[16];

    assert_non_null(block.data);
    memcpy(block.data, "two", 3);
    assert_true(outgoing_send_block(&link->out, &link->peer, 7, &head, &block));
    assert_null(block.data);
    assert_true(outgoing_empty(&link->out));
    assert_null(link->out.data);
    assert_int_equal(take(link, text, sizeof(text)), 8);
    assert_memory_equal(text, "head two", 8);
    close(link->ends[1]);
    link->ends[1] = -1;
    block = (struct outgoing){.data = malloc(3), .length = 3};
    assert_false(outgoing_send_block(&link->out, &link->peer, 7, &head, &block));
    assert_null(block.data);
}

OUTGOING_TEST(test_peer_gone)
{
    struct link *link = *state;
    unsigned char *bytes = numbered(MANY_BYTES);
    const struct iovec all = part(bytes, MANY_BYTES), more = part("x", 1);

    assert_true(outgoing_send(&link->out, &link->peer, 1, &all, 1));
    close(link->ends[1]);
    link->ends[1] = -1;
    assert_false(outgoing_flush(&link->out, &link->peer, 2));
    /* What is left stays until it is cleared; nothing new is tried before it. */
    assert_false(outgoing_empty(&link->out));
    outgoing_clear(&link->out);
    assert_false(outgoing_send(&link->out, &link->peer, 3, &more, 1));
    assert_true(outgoing_empty(&link->out));
    free(bytes);
}

/* Many small pieces are kept in memory of their size, not copied once each. */
OUTGOING_TEST(test_many_small_pieces)
{
    struct link *link = *state;
    unsigned char *bytes = numbered(MANY_BYTES), *received = malloc(MANY_BYTES);
    size_t moves = 0, length = 0;
    const void *last = NULL;

    assert_non_null(received);
    for (size_t i = 0; i < MANY_BYTES; i++) {
        const struct iovec one = part(bytes + i, 1);

        assert_true(outgoing_send(&link->out, &link->peer, 1, &one, 1));
        moves += link->out.data != last;
        last = link->out.data;
        if (i % 100000 == 99999) {
            length += take(link, received + length, MANY_BYTES - length);
            assert_true(outgoing_flush(&link->out, &link->peer, 1));
        }
    }
    assert_true(moves < 64);
    assert_true(link->out.capacity <= 2 * MANY_BYTES);
    while (length < MANY_BYTES) {
        length += take(link, received + length, MANY_BYTES - length);
        assert_true(outgoing_flush(&link->out, &link->peer, 1));
    }
    assert_memory_equal(received, bytes, MANY_BYTES);
    free(bytes);
    free(received);
}
