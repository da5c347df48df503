#include "system/outgoing.h"

#include "base/pace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void outgoing_clear(struct outgoing *outgoing)
{
    free(outgoing->data);
    *outgoing = (struct outgoing){0};
}

static ssize_t take_by_socket(const struct outgoing_peer *peer, const struct iovec *parts,
                              size_t count)
{
    struct iovec copy[OUTGOING_PARTS_MAX];
    struct msghdr message = {.msg_iov = copy, .msg_iovlen = count};

    if (count == 1)
        return send(peer->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    memcpy(copy, parts, count * sizeof(*parts));
    return sendmsg(peer->fd, &message, MSG_NOSIGNAL);
}

struct outgoing_peer outgoing_socket(int fd)
{
    return (struct outgoing_peer){.take = take_by_socket, .fd = fd};
}

/* The number of bytes taken, or -1 if the peer is gone. */
static ssize_t send_parts(const struct outgoing_peer *peer, const struct iovec *parts, size_t count)
{
    ssize_t sent;

    do
        sent = peer->take(peer, parts, count);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return sent;
}

/* Room for `more` bytes behind those that are left. Later growth doubles, so that many small
 * pieces are not copied once each. */
static bool reserve(struct outgoing *outgoing, size_t more)
{
    size_t need = outgoing->length + more;
    size_t capacity = outgoing->data != NULL ? 2 * need : need;
    unsigned char *data;

    if (outgoing->data != NULL && outgoing->offset + need <= outgoing->capacity)
        return true;
    data = malloc(capacity);
    if (data == NULL)
        return false;
    if (outgoing->data != NULL)
        memcpy(data, outgoing->data + outgoing->offset, outgoing->length);
    free(outgoing->data);
    outgoing->data = data;
    outgoing->capacity = capacity;
    outgoing->offset = 0;
    return true;
}

/* Keeps what lies behind the first `skip` bytes of the parts. */
static bool keep(struct outgoing *outgoing, const struct iovec *parts, size_t count, size_t skip,
                 size_t total)
{
    if (!reserve(outgoing, total - skip))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t skipped = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        size_t left = parts[i].iov_len - skipped;

        skip -= skipped;
        if (left > 0)
            memcpy(outgoing->data + outgoing->offset + outgoing->length,
                   (const unsigned char *)parts[i].iov_base + skipped, left);
        outgoing->length += left;
    }
    return true;
}

bool outgoing_send(struct outgoing *outgoing, const struct outgoing_peer *peer, uint64_t now_ms,
                   const struct iovec *parts, size_t count)
{
    size_t total = 0;
    ssize_t sent = 0;

    for (size_t i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (total == 0)
        return true;
    if (outgoing_empty(outgoing)) {
        sent = send_parts(peer, parts, count);
        if (sent < 0)
            return false;
        outgoing->progress_ms = now_ms;
    }
    return (size_t)sent == total || keep(outgoing, parts, count, (size_t)sent, total);
}

bool outgoing_send_block(struct outgoing *outgoing, const struct outgoing_peer *peer,
                         uint64_t now_ms, const struct iovec *head, struct outgoing *block)
{
    struct iovec parts[2] = {*head, {block->data + block->offset, block->length}};
    size_t total = head->iov_len + block->length;
    ssize_t sent = outgoing_empty(outgoing) ? send_parts(peer, parts, 2) : 0;
    bool alive = sent >= 0;

    if (alive && outgoing_empty(outgoing))
        outgoing->progress_ms = now_ms;
    if (alive && (size_t)sent > head->iov_len && (size_t)sent < total) {
        size_t taken = (size_t)sent - head->iov_len;

        outgoing->data = block->data;
        outgoing->offset = block->offset + taken;
        outgoing->length = block->length - taken;
        outgoing->capacity = block->capacity;
        *block = (struct outgoing){0};
    } else if (alive && (size_t)sent < total) {
        alive = keep(outgoing, parts, 2, (size_t)sent, total);
    }
    outgoing_clear(block);
    return alive;
}

unsigned char *outgoing_reserve(struct outgoing *outgoing, size_t length)
{
    if (!reserve(outgoing, length))
        return NULL;
    return outgoing->data + outgoing->offset + outgoing->length;
}

void outgoing_commit(struct outgoing *outgoing, size_t length, uint64_t now_ms)
{
    if (outgoing_empty(outgoing))
        outgoing->progress_ms = now_ms;
    outgoing->length += length;
}

bool outgoing_flush(struct outgoing *outgoing, const struct outgoing_peer *peer, uint64_t now_ms)
{
    struct iovec part = {outgoing->data, outgoing->length};
    ssize_t sent;

    if (outgoing_empty(outgoing))
        return true;
    part.iov_base = outgoing->data + outgoing->offset;
    sent = send_parts(peer, &part, 1);
    if (sent < 0)
        return false;
    if (sent > 0)
        outgoing->progress_ms = pace_pay(outgoing->progress_ms, now_ms, (uint64_t)sent);
    outgoing->offset += (size_t)sent;
    outgoing->length -= (size_t)sent;
    if (outgoing_empty(outgoing))
        outgoing_clear(outgoing);
    return true;
}
