/*
 * Bytes on their way to a peer that takes them when it likes: sent at once as
 * far as the socket takes them, the rest kept. Whoever fills it stops reading the
 * other side while something is left, so it holds one read and its framing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define OUTGOING_PARTS_MAX 4

/* All zero is a valid empty one. */
struct outgoing {
    unsigned char *data;             /* owned; NULL when nothing is left */
    size_t length, offset, capacity; /* `length` bytes from `offset` on */
    uint64_t progress_ms; /* paid by what is taken (base/pace.h); only while something is left */
};

/* Who takes bytes: a socket, or what its owner has put in front of one. */
struct outgoing_peer {
    /* As send(2): how many bytes, or -1 with errno. */
    ssize_t (*take)(const struct outgoing_peer *peer, const struct iovec *parts, size_t count);
    void *owner;
    int fd;
};

struct outgoing_peer outgoing_socket(int fd);

/* Sends the parts in order. False: the peer is gone, or there is no memory. */
bool outgoing_send(struct outgoing *outgoing, const struct outgoing_peer *peer, uint64_t now_ms,
                   const struct iovec *parts, size_t count);
/*
 * Sends a head and the block behind it, whose memory is taken over in any case:
 * what the peer does not take at once need not be copied. False as above.
 */
bool outgoing_send_block(struct outgoing *outgoing, const struct outgoing_peer *peer,
                         uint64_t now_ms, const struct iovec *head, struct outgoing *block);
/* Room behind what is left, for bytes that are made there; NULL without memory. */
unsigned char *outgoing_reserve(struct outgoing *outgoing, size_t length);
/* So many bytes were put there; they go out with the next flush. */
void outgoing_commit(struct outgoing *outgoing, size_t length, uint64_t now_ms);
/* Sends more of what is left. False: the peer is gone. */
bool outgoing_flush(struct outgoing *outgoing, const struct outgoing_peer *peer, uint64_t now_ms);
void outgoing_clear(struct outgoing *outgoing);

static inline bool outgoing_empty(const struct outgoing *outgoing)
{
    return outgoing->length == 0;
}
