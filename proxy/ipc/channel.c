#include "ipc/channel.h"

#include "base/secret.h"
#include "ipc/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct queued {
    struct queued *next;
    int fd; /* -1: none; owned until sent */
    size_t length;
    unsigned char bytes[];
};

/*
 * A datagram is a message, or begins with this and holds several, each after its length. A
 * descriptor that comes with several is the last one's.
 */
#define PACKET_MARK  0
#define LENGTH_BYTES 4
#define PACKET_MIN   (1 + LENGTH_BYTES + 1)

_Static_assert(IPC_NONE == PACKET_MARK, "no message begins like a packet");

struct channel {
    int fd;
    struct queued *head, **tail;
    size_t queued_bytes;
    size_t packed, packed_bytes; /* messages that wait for more of them, in `packet` */
    /* Of the packet that came last: what was not handed out yet. */
    size_t left, left_bytes;
    int left_fd; /* the descriptor that came with it; -1: none */
    const unsigned char *next;
    unsigned char packet[CHANNEL_PACKET_BYTES_MAX];
    unsigned char received[IPC_MESSAGE_BYTES_MAX];
};

enum error channel_create(int fd, struct channel **out)
{
    struct channel *channel;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return ERROR_IO;
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return ERROR_MEMORY;
    channel->fd = fd;
    channel->left_fd = -1;
    channel->tail = &channel->head;
    *out = channel;
    return OK;
}

static void drop_queued(struct queued *item)
{
    if (item->fd >= 0)
        close(item->fd);
    secret_wipe(item->bytes, item->length); /* it may have been a key */
    free(item);
}

void channel_destroy(struct channel *channel)
{
    if (channel == NULL)
        return;
    while (channel->head != NULL) {
        struct queued *item = channel->head;

        channel->head = item->next;
        drop_queued(item);
    }
    if (channel->left_fd >= 0)
        close(channel->left_fd);
    close(channel->fd);
    free(channel);
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}

/* OK; ERROR_TIMEOUT if the socket takes nothing now; ERROR_IO if it is dead. */
static enum error send_now(int channel_fd, const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        struct cmsghdr *header;

        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    do
        sent = sendmsg(channel_fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)length)
        return OK;
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) ? ERROR_TIMEOUT
                                                                                     : ERROR_IO;
}

static enum error enqueue(struct channel *channel, const struct ipc_writer *message, int fd)
{
    struct queued *item;

    if (message->length > CHANNEL_QUEUE_BYTES_MAX - channel->queued_bytes)
        return ERROR_LIMIT;
    item = malloc(sizeof(*item) + message->length);
    if (item == NULL)
        return ERROR_MEMORY;
    item->next = NULL;
    item->fd = fd;
    item->length = message->length;
    memcpy(item->bytes, message->bytes, message->length);
    *channel->tail = item;
    channel->tail = &item->next;
    channel->queued_bytes += item->length;
    return OK;
}

/* ERROR_TIMEOUT: it is to be queued. */
static enum error try_now(const struct channel *channel, const struct ipc_writer *message, int fd)
{
    if (message->failed)
        return ERROR_LIMIT;
    return channel->head == NULL ? send_now(channel->fd, message->bytes, message->length, fd)
                                 : ERROR_TIMEOUT;
}

static enum error send_or_queue(struct channel *channel, const struct ipc_writer *message, int fd)
{
    enum error error = try_now(channel, message, fd);

    if (error == ERROR_TIMEOUT) {
        error = enqueue(channel, message, fd);
        if (error == OK)
            return OK; /* the queue has the descriptor */
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* What was gathered goes out as one. */
static enum error push(struct channel *channel)
{
    struct ipc_writer packet = {.bytes = channel->packet, .length = channel->packed_bytes};

    if (channel->packed == 0)
        return OK;
    channel->packed = channel->packed_bytes = 0;
    return send_or_queue(channel, &packet, -1);
}

enum error channel_send(struct channel *channel, const struct ipc_writer *message, int fd)
{
    enum error error = push(channel);

    if (error == OK)
        return send_or_queue(channel, message, fd);
    if (fd >= 0)
        close(fd);
    return error;
}

static bool packet_has_room(const struct channel *channel, const struct ipc_writer *message)
{
    return channel->packed < CHANNEL_PACKET_MESSAGES_MAX &&
           channel->packed_bytes + LENGTH_BYTES + message->length <= CHANNEL_PACKET_BYTES_MAX;
}

static void pack(struct channel *channel, const struct ipc_writer *message)
{
    struct ipc_writer packet = {.bytes = channel->packet, .length = channel->packed_bytes};

    if (packet.length == 0)
        ipc_put_number(&packet, PACKET_MARK, 1);
    ipc_put_number(&packet, message->length, LENGTH_BYTES);
    memcpy(packet.bytes + packet.length, message->bytes, message->length);
    channel->packed_bytes = packet.length + message->length;
    channel->packed++;
}

static enum error show(struct channel *channel, const struct ipc_writer *message, int fd)
{
    enum error error = try_now(channel, message, fd);
    int kept;

    if (error != ERROR_TIMEOUT)
        return error;
    kept = dup(fd);
    if (kept < 0)
        return ERROR_LIMIT;
    error = enqueue(channel, message, kept);
    if (error != OK)
        close(kept);
    return error;
}

/* What was gathered and, behind it, the message: one datagram. */
static enum error show_together(struct channel *channel, const struct ipc_writer *message, int fd)
{
    size_t packed = channel->packed, packed_bytes = channel->packed_bytes;
    struct ipc_writer packet = {.bytes = channel->packet};
    enum error error;

    pack(channel, message);
    packet.length = channel->packed_bytes;
    channel->packed = channel->packed_bytes = 0;
    error = show(channel, &packet, fd);
    if (error == ERROR_LIMIT) {
        /* Of the message alone the caller is told that it went nowhere. */
        channel->packed = packed;
        channel->packed_bytes = packed_bytes;
    }
    return error;
}

enum error channel_show(struct channel *channel, const struct ipc_writer *message, int fd)
{
    enum error error;

    if (channel->packed > 0 && !message->failed && packet_has_room(channel, message))
        return show_together(channel, message, fd);
    error = push(channel);
    return error == OK ? show(channel, message, fd) : error;
}

enum error channel_gather(struct channel *channel, const struct ipc_writer *message)
{
    enum error error = OK;

    if (message->failed || 1 + LENGTH_BYTES + message->length > CHANNEL_PACKET_BYTES_MAX)
        return channel_send(channel, message, -1);
    if (!packet_has_room(channel, message))
        error = push(channel);
    pack(channel, message);
    return error;
}

enum error channel_flush(struct channel *channel)
{
    enum error pushed = push(channel);

    if (pushed != OK)
        return pushed;
    while (channel->head != NULL) {
        struct queued *item = channel->head;
        enum error error = send_now(channel->fd, item->bytes, item->length, item->fd);

        if (error == ERROR_TIMEOUT)
            return OK;
        if (error != OK)
            return error;
        channel->head = item->next;
        if (channel->head == NULL)
            channel->tail = &channel->head;
        channel->queued_bytes -= item->length;
        drop_queued(item);
    }
    return OK;
}

bool channel_wants_write(const struct channel *channel)
{
    return channel->head != NULL || channel->packed > 0;
}

bool channel_blocked(const struct channel *channel)
{
    return channel->head != NULL;
}

size_t channel_waiting_bytes(const struct channel *channel)
{
    return channel->queued_bytes;
}

/*
 * Takes the descriptor out of a control message: -1 if there is none, -2 if
 * there is anything else. The kernel has installed every one that came along,
 * so those that are not wanted are closed.
 */
static int take_descriptor(struct msghdr *message)
{
    size_t total = 0;
    bool other = false;
    int kept = -1;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            other = true;
            continue;
        }
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + (at - CMSG_LEN(0)), sizeof(fd));
            if (total++ == 0)
                kept = fd;
            else
                close(fd);
        }
    }
    if (!other && total <= 1)
        return kept;
    if (kept >= 0)
        close(kept);
    return -2;
}

static bool is_packet(const struct channel *channel, size_t length)
{
    return length >= PACKET_MIN && channel->received[0] == PACKET_MARK;
}

static void open_packet(struct channel *channel, size_t length, int descriptor)
{
    channel->next = channel->received + 1;
    channel->left_bytes = length - 1;
    channel->left = CHANNEL_PACKET_MESSAGES_MAX;
    channel->left_fd = descriptor;
}

static int take_left_descriptor(struct channel *channel)
{
    int fd = channel->left_fd;

    channel->left_fd = -1;
    return fd;
}

/* The next of a packet. */
static enum error unpack(struct channel *channel, const void **bytes, size_t *length, int *fd)
{
    struct ipc_reader reader = {.bytes = channel->next, .length = channel->left_bytes};
    uint64_t wanted = ipc_get_number(&reader, LENGTH_BYTES);
    int descriptor;

    if (reader.failed || wanted == 0 || wanted > reader.length - reader.at || channel->left == 0) {
        channel->left_bytes = 0;
        descriptor = take_left_descriptor(channel);
        if (descriptor >= 0)
            close(descriptor);
        return ERROR_SYNTAX;
    }
    *bytes = channel->next + LENGTH_BYTES;
    *length = (size_t)wanted;
    channel->next += LENGTH_BYTES + *length;
    channel->left_bytes -= LENGTH_BYTES + *length;
    channel->left--;
    if (channel->left_bytes == 0)
        *fd = take_left_descriptor(channel);
    return OK;
}

bool channel_has_more(const struct channel *channel)
{
    return channel->left_bytes > 0;
}

enum error channel_receive(struct channel *channel, const void **bytes, size_t *length, int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = channel->received, .iov_len = sizeof(channel->received)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t received;
    int descriptor;

    *fd = -1;
    if (channel_has_more(channel))
        return unpack(channel, bytes, length, fd);
    /* A reset, told once, is of what the other side did not read any more; what it said is there.
     */
    do
        received = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && (errno == EINTR || errno == ECONNRESET));
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        *length = 0;
        return OK;
    }
    if (received < 0)
        return ERROR_IO;
    descriptor = take_descriptor(&message);
    if (received == 0 || descriptor == -2 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        if (descriptor >= 0)
            close(descriptor);
        return received == 0 ? ERROR_IO : ERROR_SYNTAX;
    }
    if (is_packet(channel, (size_t)received)) {
        open_packet(channel, (size_t)received, descriptor);
        return unpack(channel, bytes, length, fd);
    }
    *fd = descriptor;
    *bytes = channel->received;
    *length = (size_t)received;
    return OK;
}

void channel_wipe(struct channel *channel)
{
    secret_wipe(channel->received, sizeof(channel->received));
}
