/* channel.c: whole messages in order, one descriptor at most, and none leaked. */
#include "ipc/channel.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_SENT_MAX 4

struct fixture {
    struct channel *channel; /* ours */
    int other;               /* the other side's bare descriptor */
    size_t descriptors;      /* open before the fixture */
};

static unsigned char room[IPC_MESSAGE_BYTES_MAX];

static size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int pair[2];

    assert_non_null(fixture);
    fixture->descriptors = count_descriptors();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(channel_create(pair[0], &fixture->channel), OK);
    assert_int_equal(channel_fd(fixture->channel), pair[0]);
    fixture->other = pair[1];
    *state = fixture;
    return 0;
}

/* Every test ends with as many descriptors as it began with. */
static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    channel_destroy(fixture->channel);
    if (fixture->other >= 0)
        close(fixture->other);
    assert_int_equal(count_descriptors(), fixture->descriptors);
    free(fixture);
    return 0;
}

static struct ipc_writer message_of(size_t length, unsigned char fill)
{
    memset(room, fill, length);
    return (struct ipc_writer){.bytes = room, .length = length};
}

/* What a hostile other side may send: any bytes with any number of descriptors. */
static void send_raw(int fd, const void *bytes, size_t length, size_t descriptors)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(DESCRIPTORS_SENT_MAX * sizeof(int))];
    } control;
    int fds[DESCRIPTORS_SENT_MAX] = {fd, fd, fd, fd};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (descriptors > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(descriptors * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, descriptors * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, 0), (ssize_t)length);
}

static int spare_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void expect_nothing(struct channel *channel)
{
    const void *bytes;
    size_t length = 1;
    int fd = 1;

    assert_int_equal(channel_receive(channel, &bytes, &length, &fd), OK);
    assert_int_equal(length, 0);
    assert_int_equal(fd, -1);
}

#define CHANNEL_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

CHANNEL_TEST(test_messages)
{
    struct fixture *fixture = *state;
    struct ipc_writer message = message_of(IPC_MESSAGE_BYTES_MAX, 'm');
    static unsigned char received[IPC_MESSAGE_BYTES_MAX];
    const void *bytes;
    size_t length;
    int fd;

    expect_nothing(fixture->channel);
    assert_int_equal(channel_send(fixture->channel, &message, -1), OK);
    message = message_of(1, 'n');
    assert_int_equal(channel_send(fixture->channel, &message, -1), OK);
    assert_false(channel_wants_write(fixture->channel));
    assert_int_equal(recv(fixture->other, received, sizeof(received), 0), IPC_MESSAGE_BYTES_MAX);
    assert_int_equal(received[IPC_MESSAGE_BYTES_MAX - 1], 'm');
    assert_int_equal(recv(fixture->other, received, sizeof(received), 0), 1);

    send_raw(fixture->other, "one", 3, 0);
    send_raw(fixture->other, "two", 3, 0);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), OK);
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "one", 3);
    assert_int_equal(fd, -1);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), OK);
    assert_memory_equal(bytes, "two", 3);
    expect_nothing(fixture->channel);
}

CHANNEL_TEST(test_is_non_blocking)
{
    struct fixture *fixture = *state;

    assert_true((fcntl(channel_fd(fixture->channel), F_GETFL) & O_NONBLOCK) != 0);
}

CHANNEL_TEST(test_descriptor)
{
    struct fixture *fixture = *state;
    struct ipc_writer message = message_of(3, 'm');
    struct channel *other;
    const void *bytes;
    size_t length;
    int ends[2], fd;
    char byte;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(channel_send(fixture->channel, &message, ends[1]), OK); /* taken over */
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    assert_int_equal(length, 3);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(fd);
    close(ends[0]);
    channel_destroy(other);
}

/* More descriptors than one, in every way they can come: refused, and closed again. */
CHANNEL_TEST(test_too_many_descriptors)
{
    struct fixture *fixture = *state;
    size_t before = count_descriptors();
    const void *bytes;
    size_t length;
    int fd;

    for (size_t count = 2; count <= DESCRIPTORS_SENT_MAX; count++) {
        send_raw(fixture->other, "m", 1, count);
        assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_SYNTAX);
        assert_int_equal(fd, -1);
        assert_int_equal(count_descriptors(), before);
    }
    send_raw(fixture->other, "m", 1, 1);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), OK);
    close(fd);
}

/* An empty message looks like the end of the channel; its descriptor must not stay. */
CHANNEL_TEST(test_descriptor_without_message)
{
    struct fixture *fixture = *state;
    size_t before = count_descriptors();
    const void *bytes;
    size_t length;
    int fd;

    send_raw(fixture->other, "", 0, 1);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_IO);
    assert_int_equal(fd, -1);
    assert_int_equal(count_descriptors(), before);
}

CHANNEL_TEST(test_other_control_message)
{
    struct fixture *fixture = *state;
    const void *bytes;
    size_t length;
    int fd, on = 1;

    /* The kernel adds the sender's credentials, which nobody asked for here. */
    assert_int_equal(
        setsockopt(channel_fd(fixture->channel), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    send_raw(fixture->other, "m", 1, 0);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_SYNTAX);
}

CHANNEL_TEST(test_too_long)
{
    static const char message[IPC_MESSAGE_BYTES_MAX + 1] = "m";
    struct fixture *fixture = *state;
    size_t before = count_descriptors();
    const void *bytes;
    size_t length;
    int fd;

    send_raw(fixture->other, message, sizeof(message), 1);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_SYNTAX);
    assert_int_equal(count_descriptors(), before);
    send_raw(fixture->other, message, sizeof(message) - 1, 0);
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), OK);
    assert_int_equal(length, IPC_MESSAGE_BYTES_MAX);
}

CHANNEL_TEST(test_failed_writer)
{
    struct fixture *fixture = *state;
    struct ipc_writer message = {.bytes = room, .length = 1, .failed = true};

    assert_int_equal(channel_send(fixture->channel, &message, spare_descriptor()), ERROR_LIMIT);
    assert_int_equal(recv(fixture->other, room, 1, MSG_DONTWAIT), -1);
}

CHANNEL_TEST(test_other_side_gone)
{
    struct fixture *fixture = *state;
    struct ipc_writer message = message_of(1, 'm');
    const void *bytes;
    size_t length;
    int fd;

    close(fixture->other);
    fixture->other = -1;
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_IO);
    /* No SIGPIPE, and the descriptor is closed all the same. */
    assert_int_equal(channel_send(fixture->channel, &message, spare_descriptor()), ERROR_IO);
}

static void send_numbered(struct channel *channel, uint32_t number)
{
    struct ipc_writer message = message_of(2000, 'm');

    memcpy(room + 1, &number, sizeof(number));
    assert_int_equal(channel_send(channel, &message, number % 10 == 0 ? spare_descriptor() : -1),
                     OK);
}

/* False if nothing is there now. */
static bool expect_numbered(struct channel *channel, uint32_t wanted)
{
    const void *bytes;
    uint32_t number;
    size_t length;
    int fd;

    assert_int_equal(channel_receive(channel, &bytes, &length, &fd), OK);
    if (length == 0)
        return false;
    memcpy(&number, (const unsigned char *)bytes + 1, sizeof(number));
    assert_int_equal(length, 2000);
    assert_int_equal(number, wanted);
    assert_int_equal(fd >= 0, wanted % 10 == 0);
    if (fd >= 0)
        close(fd);
    return true;
}

/* Nobody reads: messages queue in order with their descriptors, and come out so. */
CHANNEL_TEST(test_queue)
{
    struct fixture *fixture = *state;
    struct channel *other;
    uint32_t sent = 0, received = 0;

    while (!channel_wants_write(fixture->channel) || sent % 100 != 0)
        send_numbered(fixture->channel, sent++);
    assert_int_equal(channel_flush(fixture->channel), OK); /* still nobody reads */
    assert_true(channel_wants_write(fixture->channel));
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    /* Now there is room, but what is new must not pass by what waits. */
    for (; received < 20; received++)
        assert_true(expect_numbered(other, received));
    send_numbered(fixture->channel, sent++);
    while (received < sent) {
        if (expect_numbered(other, received))
            received++;
        else
            assert_int_equal(channel_flush(fixture->channel), OK);
    }
    assert_false(channel_wants_write(fixture->channel));
    channel_destroy(other);
}

/* Sent at once or queued, the descriptor stays the caller's. */
CHANNEL_TEST(test_shown)
{
    struct fixture *fixture = *state;
    struct channel *other;
    const void *bytes;
    size_t length, sent = 0, shown = 0;
    struct rlimit before, none;
    struct ipc_writer message;
    int fd, ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (; !channel_wants_write(fixture->channel); sent++) {
        message = message_of(2000, 's');
        assert_int_equal(channel_show(fixture->channel, &message, ends[0]), OK);
    }
    /* What waits needs a descriptor of its own, and there may be no more of them. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    message = message_of(2000, 's');
    assert_int_equal(channel_show(fixture->channel, &message, ends[0]), ERROR_LIMIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    while (shown < sent) {
        assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
        if (length == 0) {
            assert_int_equal(channel_flush(fixture->channel), OK);
            continue;
        }
        assert_true(fd >= 0);
        close(fd);
        shown++;
    }
    assert_int_equal(close(ends[0]), 0);
    close(ends[1]);
    channel_destroy(other);
}

CHANNEL_TEST(test_queue_is_bounded)
{
    struct fixture *fixture = *state;
    struct ipc_writer message = message_of(IPC_MESSAGE_BYTES_MAX, 'm');
    enum error error = OK;
    size_t sent = 0;

    for (; error == OK; sent++) {
        assert_true(sent < 2 * CHANNEL_QUEUE_BYTES_MAX / IPC_MESSAGE_BYTES_MAX);
        error = channel_send(fixture->channel, &message, spare_descriptor());
    }
    assert_int_equal(error, ERROR_LIMIT);
    assert_true(sent > CHANNEL_QUEUE_BYTES_MAX / IPC_MESSAGE_BYTES_MAX);
    /* The descriptors still queued are closed with the channel: tear_down counts them. */
}

/* finding 24: what a side said before it ended is read, though it read not all that it was told. */
TEST_BETWEEN(test_an_end_with_something_unread, set_up, tear_down)
{
    struct fixture *fixture = *state;
    struct ipc_writer told = message_of(10, 't');
    const void *bytes;
    size_t length;
    int fd;

    assert_int_equal(channel_send(fixture->channel, &told, -1), OK);
    for (size_t i = 1; i <= 3; i++)
        send_raw(fixture->other, "said", i, 0);
    close(fixture->other);
    fixture->other = -1;
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), OK);
        assert_int_equal(length, i);
    }
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_IO);
}

/* ---- Messages that go together ---- */

static void gather(struct channel *channel, size_t length, unsigned char fill)
{
    struct ipc_writer message = message_of(length, fill);

    assert_int_equal(channel_gather(channel, &message), OK);
}

static void expect_message(struct channel *channel, size_t wanted, unsigned char fill)
{
    const void *bytes;
    size_t length;
    int fd;

    assert_int_equal(channel_receive(channel, &bytes, &length, &fd), OK);
    assert_int_equal(length, wanted);
    assert_int_equal(*(const unsigned char *)bytes, fill);
    assert_int_equal(fd, -1);
}

CHANNEL_TEST(test_gathered)
{
    struct fixture *fixture = *state;
    struct ipc_writer message;
    struct channel *other;

    assert_int_equal(channel_create(fixture->other, &other), OK);
    for (unsigned char i = 0; i < 3; i++)
        gather(fixture->channel, 10U + i, (unsigned char)('a' + i));
    assert_true(channel_wants_write(fixture->channel));
    expect_nothing(other);
    assert_int_equal(channel_flush(fixture->channel), OK);
    assert_false(channel_wants_write(fixture->channel));
    assert_false(channel_has_more(other));
    expect_message(other, 10, 'a');
    assert_true(channel_has_more(other));
    expect_message(other, 11, 'b');
    expect_message(other, 12, 'c');
    assert_false(channel_has_more(other));
    expect_nothing(other);

    /* What is sent comes behind what was gathered; what is too long is not gathered. */
    gather(fixture->channel, 1, 'd');
    message = message_of(1, 'e');
    assert_int_equal(channel_send(fixture->channel, &message, -1), OK);
    gather(fixture->channel, 1, 'f');
    gather(fixture->channel, CHANNEL_PACKET_BYTES_MAX, 'g');
    expect_message(other, 1, 'd');
    expect_message(other, 1, 'e');
    expect_message(other, 1, 'f');
    expect_message(other, CHANNEL_PACKET_BYTES_MAX, 'g');
    channel_destroy(other);
    fixture->other = -1;
}

/* ---- A descriptor that comes with several ---- */

static void show(struct channel *channel, size_t length, unsigned char fill, int fd)
{
    struct ipc_writer message = message_of(length, fill);

    assert_int_equal(channel_show(channel, &message, fd), OK);
}

CHANNEL_TEST(test_shown_together)
{
    struct fixture *fixture = *state;
    const void *bytes;
    size_t length;
    struct channel *other;
    int fd, ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    gather(fixture->channel, 3, 'a');
    gather(fixture->channel, 4, 'b');
    show(fixture->channel, 5, 'c', ends[0]);
    assert_false(channel_wants_write(fixture->channel));
    expect_message(other, 3, 'a');
    assert_true(channel_has_more(other)); /* it was one datagram */
    expect_message(other, 4, 'b');
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    assert_int_equal(length, 5);
    assert_true(fd >= 0);
    close(fd);
    expect_nothing(other);

    /* Nothing is gathered, or it does not fit: each by itself. */
    show(fixture->channel, 6, 'd', ends[0]);
    gather(fixture->channel, 1, 'e');
    show(fixture->channel, CHANNEL_PACKET_BYTES_MAX, 'f', ends[0]);
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    assert_true(length == 6 && fd >= 0);
    close(fd);
    expect_message(other, 1, 'e');
    assert_false(channel_has_more(other));
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    assert_true(length == CHANNEL_PACKET_BYTES_MAX && fd >= 0);
    close(fd);
    channel_destroy(other);
    close(ends[0]);
    close(ends[1]);
}

/* Whoever is told that a message could not be sent has lost nothing that was gathered before it. */
CHANNEL_TEST(test_shown_together_not)
{
    struct fixture *fixture = *state;
    struct rlimit before, none;
    struct ipc_writer message;
    struct channel *other;
    const void *bytes;
    size_t length;
    int fd, ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    while (!channel_blocked(fixture->channel)) {
        message = message_of(2000, 's');
        assert_int_equal(channel_send(fixture->channel, &message, -1), OK);
    }
    gather(fixture->channel, 3, 'a');
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    message = message_of(4, 'b');
    assert_int_equal(channel_show(fixture->channel, &message, ends[0]), ERROR_LIMIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    do {
        assert_int_equal(channel_flush(fixture->channel), OK);
        assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    } while (length == 2000);
    assert_int_equal(length, 3);
    assert_int_equal(*(const unsigned char *)bytes, 'a');
    expect_nothing(other);
    channel_destroy(other);
    close(ends[0]);
    close(ends[1]);
}

/* One that is not read to its end leaves nothing open, nor does one that is broken. */
CHANNEL_TEST(test_shown_together_unread)
{
    static const unsigned char broken[] = {0, 1, 0, 0, 0, 'a', 9, 0, 0, 0, 'b'};
    struct fixture *fixture = *state;
    const void *bytes;
    size_t length;
    struct channel *other;
    char byte;
    int fd, free_before, free_after, ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(channel_create(fixture->other, &other), OK);
    fixture->other = -1;
    gather(fixture->channel, 3, 'a');
    show(fixture->channel, 5, 'c', ends[1]);
    expect_message(other, 3, 'a');
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), OK);
    close(fd);
    free_before = spare_descriptor();
    close(free_before);
    send_raw(channel_fd(fixture->channel), broken, sizeof(broken), 1);
    expect_message(other, 1, 'a');
    assert_int_equal(channel_receive(other, &bytes, &length, &fd), ERROR_SYNTAX);
    assert_int_equal(fd, -1);
    free_after = spare_descriptor();
    assert_int_equal(free_after, free_before);
    close(free_after);
    gather(fixture->channel, 3, 'a');
    show(fixture->channel, 5, 'c', ends[1]);
    expect_message(other, 3, 'a');
    channel_destroy(other);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody has it any more */
    close(ends[0]);
}

/* So many go together and no more: the other side's turn is as long as that. */
CHANNEL_TEST(test_gathered_many)
{
    struct fixture *fixture = *state;
    static unsigned char received[CHANNEL_PACKET_BYTES_MAX];
    size_t together = 1 + CHANNEL_PACKET_MESSAGES_MAX * (4 + 1);

    for (size_t i = 0; i < 2 * CHANNEL_PACKET_MESSAGES_MAX; i++)
        gather(fixture->channel, 1, 'x');
    assert_int_equal(channel_flush(fixture->channel), OK);
    assert_int_equal(recv(fixture->other, received, sizeof(received), 0), (ssize_t)together);
    assert_int_equal(recv(fixture->other, received, sizeof(received), 0), (ssize_t)together);
}

/* Packets of a hostile other side; after each the next message is read as ever. */
CHANNEL_TEST(test_packets_that_are_none)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *bytes;
        size_t length;
        unsigned good; /* messages before it is noticed */
    } packets[] = {
        {"\0\0\0\0\0x", 6, 0},          /* an empty one */
        {"\0\2\0\0\0x", 6, 0},          /* longer than what is there */
        {"\0\xff\xff\xff\xffx", 6, 0},  /* much longer */
        {"\0\1\0\0\0x\1\0\0", 9, 1},    /* a length that is cut */
        {"\0\1\0\0\0x\1\0\0\0", 10, 1}, /* nothing behind it */
    };
    unsigned char many[1 + (CHANNEL_PACKET_MESSAGES_MAX + 1) * 5] = {0};
    const void *bytes;
    size_t length;
    int fd;

    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        send_raw(fixture->other, packets[i].bytes, packets[i].length, 0);
        for (unsigned good = 0; good < packets[i].good; good++)
            expect_message(fixture->channel, 1, 'x');
        assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_SYNTAX);
        send_raw(fixture->other, "next", 4, 0);
        expect_message(fixture->channel, 4, 'n');
    }
    for (size_t i = 0; i < CHANNEL_PACKET_MESSAGES_MAX + 1; i++) {
        many[1 + 5 * i] = 1;
        many[5 + 5 * i] = 'x';
    }
    send_raw(fixture->other, many, sizeof(many), 0);
    for (size_t i = 0; i < CHANNEL_PACKET_MESSAGES_MAX; i++)
        expect_message(fixture->channel, 1, 'x');
    assert_int_equal(channel_receive(fixture->channel, &bytes, &length, &fd), ERROR_SYNTAX);
}
