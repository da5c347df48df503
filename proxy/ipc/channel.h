/*
 * The channel between broker and worker: whole messages over a SOCK_SEQPACKET
 * pair, with at most one descriptor each (SCM_RIGHTS). Never blocks: what the
 * socket does not take at once waits in a bounded queue, in order. Messages that need not go
 * at once can be gathered, and go together.
 */
#pragma once

#include "base/error.h"
#include "ipc/wire_format.h"

#define CHANNEL_QUEUE_BYTES_MAX     (64u * 1024 * 1024)
#define CHANNEL_PACKET_MESSAGES_MAX 64 /* that go together: the reader's turn is no longer */
#define CHANNEL_PACKET_BYTES_MAX    (16 * 1024)

struct channel;

/* Takes over a connected descriptor and makes it non-blocking. */
enum error channel_create(int fd, struct channel **out) MUST_CHECK;
/* Closes the descriptor and every descriptor still queued. */
void channel_destroy(struct channel *channel);
int channel_fd(const struct channel *channel);

/*
 * Sends or queues a message. `fd` (-1: none) is taken over, sent or not.
 * ERROR_LIMIT: more waits than whoever reads at times ever lets wait. ERROR_IO: it is gone.
 */
enum error channel_send(struct channel *channel, const struct ipc_writer *message,
                        int fd) MUST_CHECK;
/* The same, together with what is gathered; the descriptor, of which there is one, stays the
 * caller's. ERROR_LIMIT: or it is to wait, and there are no more descriptors. */
enum error channel_show(struct channel *channel, const struct ipc_writer *message,
                        int fd) MUST_CHECK;
/* Keeps it until channel_flush(), or the next that is sent; errors as above. */
enum error channel_gather(struct channel *channel, const struct ipc_writer *message) MUST_CHECK;
/* Sends what is gathered and queued as far as the socket takes it. */
enum error channel_flush(struct channel *channel) MUST_CHECK;
bool channel_wants_write(const struct channel *channel);
/* The socket takes no more now. */
bool channel_blocked(const struct channel *channel);
/* How much waits because the socket does not take it. */
size_t channel_waiting_bytes(const struct channel *channel);

/*
 * Receives one message into the channel's own buffer, valid until the next
 * call. OK with *length > 0; OK with *length == 0: nothing there now.
 * ERROR_IO: the other side is gone. ERROR_SYNTAX: truncated, or more than one
 * descriptor. *fd is -1 or a descriptor the caller now owns.
 */
enum error channel_receive(struct channel *channel, const void **bytes, size_t *length,
                           int *fd) MUST_CHECK;
/* Whether a message is there that came with the last one: the socket does not tell of it. */
bool channel_has_more(const struct channel *channel);
/* Wipes the message that was received last: it held a secret. */
void channel_wipe(struct channel *channel);
