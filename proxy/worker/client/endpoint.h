/*
 * One end of a connection: a descriptor, TLS on it or none, what is watched for, and the bytes
 * that its peer has not taken yet.
 */
#pragma once

#include "base/error.h"
#include "system/outgoing.h"
#include "worker/tls/tls.h"

#include <uv.h>

struct watch;

/*
 * What all of a loop share. What the loop has of a descriptor stays for the next of the same
 * number: to make it takes system calls. All zero but `loop` is none.
 */
struct endpoints {
    uv_loop_t *loop;
    struct watch **watches; /* by descriptor; NULL: there was none of this number yet */
    size_t count;           /* of places */
    struct endpoint *closed;
};

/* Embedded by its owner, who must not be freed before `closed` was called. */
struct endpoint {
    struct endpoints *all;
    struct endpoint *next; /* of the closed ones */
    int fd;                /* -1: closed, or given away */
    int events;            /* that the owner watches for */
    int watched;           /* that are watched for */
    bool shaking;          /* TLS's handshake is not done: the owner is told of nothing else */
    struct tls *tls;       /* owned; NULL: none */
    struct outgoing out;
    /* The handshake is done, or came to nothing: then it is a plain endpoint from now on. */
    void (*secured)(struct endpoint *endpoint, enum tls_stage stage);
    /* status < 0: nothing is watched for any more, though there may be bytes to read. */
    void (*ready)(struct endpoint *endpoint, int status, int events);
    void (*closed)(struct endpoint *endpoint);
};

/* Takes over a descriptor that does not block, also on failure; `ready` and `closed` are set. */
enum error endpoint_open(struct endpoint *endpoint, struct endpoints *all, int fd) MUST_CHECK;
/* Speaks TLS from the first byte on; right after endpoint_open(), `secured` is set. */
enum error endpoint_secure(struct endpoint *endpoint, struct ssl_ctx_st *context) MUST_CHECK;
/* 0: nothing. */
void endpoint_watch(struct endpoint *endpoint, int events);
/* Whether there is something to read already, without waiting for the loop to say so. */
void endpoint_look(struct endpoint *endpoint);
/* What the peer sent, as by recv(2): 0 at its end, -1 with errno. The only way to read it. */
ssize_t endpoint_receive(struct endpoint *endpoint, void *out, size_t room);
/* Sends, or keeps what the peer does not take. False: it is gone, or there is no memory. */
bool endpoint_send(struct endpoint *endpoint, const struct iovec *parts, size_t count);
/* The same of a head and the block behind it, which is taken over (outgoing_send_block). */
bool endpoint_send_block(struct endpoint *endpoint, const struct iovec *head,
                         struct outgoing *block);
bool endpoint_flush(struct endpoint *endpoint);
/* Tells the peer that no more comes; what is kept must have gone. */
void endpoint_finish(struct endpoint *endpoint);
/* Closes the descriptor and forgets what was not sent; `closed` comes by endpoints_reap(). */
void endpoint_close(struct endpoint *endpoint);
/*
 * Opens one on what another has, which is to be closed next: its descriptor, the TLS on it, and
 * what is watched for. `ready` and `closed` are set. Nothing waits to be sent on it.
 */
void endpoint_move(struct endpoint *to, struct endpoint *from);

/* Tells the owners of those that were closed, when none of them is on the stack. */
void endpoints_reap(struct endpoints *all);
/* All are closed: the loop lets go of them when it runs next, which is the last time. */
void endpoints_end(struct endpoints *all);
