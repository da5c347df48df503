#include "worker/tls/tls.h"

#include "base/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 256
#define ROUNDS_MAX       8    /* records in a row; others want their turn */
#define RECORD_HANDSHAKE 0x16 /* the first byte of every client's TLS (RFC 8446 section 5.1) */

enum stage {
    STAGE_PEEKING = 0, /* nothing has come yet: is it TLS? */
    STAGE_SHAKING,
    STAGE_OPEN,
    STAGE_TOLD, /* it came to nothing, and the client has been told why */
    STAGE_ENDED,
};

/* Bytes that the other side has not taken yet. */
struct rest {
    unsigned char *bytes; /* owned; NULL: none */
    size_t length, offset;
};

struct tls {
    struct tls_options options;
    enum stage stage;
    uv_poll_t net, plain;
    int fd, plain_fd;
    int net_events, plain_events; /* what is watched */
    unsigned open_handles;
    SSL *ssl;
    struct rest to_plain, to_net;
    bool wants_write; /* OpenSSL has bytes of its own to send */
    bool net_over;    /* the client sends no more */
    bool plain_over;  /* the worker sends no more */
    bool plain_told;  /* the worker knows that no more comes, or does not take it */
    bool net_told;    /* the client has our close_notify */
    bool finished;    /* nobody is at the plain end */
    bool moved;       /* see tls_moved() */
};

static void on_net(uv_poll_t *poll, int status, int events);
static void on_plain(uv_poll_t *poll, int status, int events);

/* ---- The end ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void destroy(struct tls *tls)
{
    close_fd(&tls->fd);
    close_fd(&tls->plain_fd);
    SSL_free(tls->ssl);
    free(tls);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tls *tls = handle->data;

    if (--tls->open_handles > 0)
        return;
    if (tls->options.on_end != NULL)
        tls->options.on_end(tls->options.owner);
    destroy(tls);
}

static void drop_rest(struct rest *rest)
{
    if (rest->bytes != NULL)
        secret_wipe(rest->bytes, rest->length);
    free(rest->bytes);
    *rest = (struct rest){0};
}

void tls_abort(struct tls *tls)
{
    if (tls->stage == STAGE_ENDED)
        return;
    tls->stage = STAGE_ENDED;
    drop_rest(&tls->to_plain);
    drop_rest(&tls->to_net);
    uv_close((uv_handle_t *)&tls->net, on_handle_closed);
    uv_close((uv_handle_t *)&tls->plain, on_handle_closed);
    /* Others may need them before the loop turns. */
    close_fd(&tls->fd);
    close_fd(&tls->plain_fd);
}

static bool is_again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* ---- Before the first record ---- */

/* No TLS comes about; the client has been told, and is given time to read it. */
static void fail(struct tls *tls, enum tls_failure failure)
{
    tls->stage = STAGE_TOLD;
    tls->wants_write = false;
    shutdown(tls->fd, SHUT_WR);
    shutdown(tls->plain_fd, SHUT_WR);
    if (tls->options.on_failed != NULL)
        tls->options.on_failed(tls->options.owner, failure);
}

/* Somebody speaks HTTP to a port that speaks TLS: most likely a wrong URL. */
static void answer_plain(struct tls *tls)
{
    static const char text[] = "This port speaks TLS: use https:// or wss://.\n";
    char answer[ANSWER_BYTES_MAX];
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 400 Bad Request\r\n"
                          "Content-Type: text/plain\r\n"
                          "Content-Length: %zu\r\n"
                          "Connection: close\r\n"
                          "\r\n"
                          "%s",
                          sizeof(text) - 1, text);

    /* The first bytes on a fresh connection: they fit. */
    (void)!send(tls->fd, answer, (size_t)length, MSG_NOSIGNAL);
    fail(tls, TLS_PLAIN);
}

static void peek(struct tls *tls)
{
    unsigned char first;
    ssize_t length = recv(tls->fd, &first, 1, MSG_PEEK);

    if (length < 0 && is_again())
        return;
    if (length == 1 && first == RECORD_HANDSHAKE)
        tls->stage = STAGE_SHAKING;
    else if (length == 1 && ((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z')))
        answer_plain(tls);
    else
        tls_abort(tls);
}

/* Takes and throws away what the client still sends, so that it can read the answer. */
static void discard(struct tls *tls)
{
    ssize_t length = recv(tls->fd, tls->options.scratch, TLS_CHUNK_BYTES, 0);

    if (length == 0 || (length < 0 && !is_again()))
        tls_abort(tls);
}

/* ---- The handshake ---- */

static void be_ready(struct tls *tls)
{
    char certificate[SHA256_HEX_SIZE];
    bool known = tls_context_peer(tls->ssl, certificate);

    tls->stage = STAGE_OPEN;
    if (tls->options.on_ready != NULL)
        tls->options.on_ready(tls->options.owner, known ? certificate : NULL);
}

static void shake(struct tls *tls)
{
    int result, error;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->wants_write = false;
        be_ready(tls);
        return;
    }
    error = SSL_get_error(tls->ssl, result);
    tls->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    fail(tls, tls_context_blames_certificate() ? TLS_CERTIFICATE : TLS_FAILED);
}

/* ---- From the client to the worker ---- */

static void keep_rest(struct tls *tls, struct rest *rest, const unsigned char *bytes, size_t length)
{
    rest->bytes = malloc(length);
    if (rest->bytes == NULL) {
        tls_abort(tls);
        return;
    }
    memcpy(rest->bytes, bytes, length);
    rest->length = length;
}

/* Offers again what was not taken. Whether nothing is left of it. */
static bool give_rest(struct tls *tls, struct rest *rest,
                      size_t (*give)(struct tls *tls, const unsigned char *bytes, size_t length))
{
    if (rest->bytes == NULL)
        return true;
    rest->offset += give(tls, rest->bytes + rest->offset, rest->length - rest->offset);
    if (tls->stage == STAGE_ENDED || rest->offset < rest->length)
        return false;
    drop_rest(rest);
    return true;
}

/* How many bytes the worker took; one that takes no more at all took everything. */
static size_t give_plain(struct tls *tls, const unsigned char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length && !tls->plain_told) {
        ssize_t sent = send(tls->plain_fd, bytes + done, length - done, MSG_NOSIGNAL);

        if (sent >= 0)
            done += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return done;
        else if (errno != EINTR)
            tls->plain_told = true;
    }
    return length;
}

/* OpenSSL's answer to a read or write that did not succeed. False: it is over. */
static bool may_go_on(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_WRITE:
        tls->wants_write = true;
        return true;
    case SSL_ERROR_ZERO_RETURN:
        tls->net_over = true;
        return true;
    default:
        tls_abort(tls);
        return false;
    }
}

/* One record. Whether there may be more now. */
static bool pull_net(struct tls *tls)
{
    unsigned char *scratch = tls->options.scratch;
    size_t given;
    int length;

    if (!give_rest(tls, &tls->to_plain, give_plain) || tls->net_over || tls->finished)
        return false;
    ERR_clear_error();
    length = SSL_read(tls->ssl, scratch, TLS_CHUNK_BYTES);
    if (length <= 0) {
        (void)may_go_on(tls, length);
        return false;
    }
    given = give_plain(tls, scratch, (size_t)length);
    if (given < (size_t)length)
        keep_rest(tls, &tls->to_plain, scratch + given, (size_t)length - given);
    return given == (size_t)length;
}

/* ---- From the worker to the client ---- */

/* How many bytes OpenSSL took: what it did not take it wants to be offered again. */
static size_t give_net(struct tls *tls, const unsigned char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        int sent;

        ERR_clear_error();
        sent = SSL_write(tls->ssl, bytes + done, (int)(length - done));
        if (sent <= 0) {
            (void)may_go_on(tls, sent);
            break;
        }
        done += (size_t)sent;
        tls->moved = true;
    }
    return done;
}

static bool pull_plain(struct tls *tls)
{
    unsigned char *scratch = tls->options.scratch;
    ssize_t length;
    size_t given;

    if (!give_rest(tls, &tls->to_net, give_net) || tls->plain_over)
        return false;
    length = recv(tls->plain_fd, scratch, TLS_CHUNK_BYTES, 0);
    if (length < 0 && is_again())
        return false;
    if (length <= 0) {
        tls->plain_over = true;
        return false;
    }
    given = give_net(tls, scratch, (size_t)length);
    if (tls->stage == STAGE_ENDED)
        return false;
    if (given < (size_t)length)
        keep_rest(tls, &tls->to_net, scratch + given, (size_t)length - given);
    return given == (size_t)length;
}

/* ---- Both ---- */

/* Passes on that a side has ended, once everything it said has been passed on. */
static void pass_on_ends(struct tls *tls)
{
    if (tls->net_over && tls->to_plain.bytes == NULL && !tls->plain_told) {
        tls->plain_told = true;
        shutdown(tls->plain_fd, SHUT_WR);
    }
    if (tls->plain_over && tls->to_net.bytes == NULL && !tls->net_told) {
        int result;

        ERR_clear_error();
        result = SSL_shutdown(tls->ssl);
        if (result < 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE) {
            tls->wants_write = true;
            return;
        }
        tls->net_told = true;
        shutdown(tls->fd, SHUT_WR);
    }
    if (tls->net_told && (tls->net_over || tls->finished))
        tls_abort(tls);
}

static void pump(struct tls *tls)
{
    tls->wants_write = false;
    for (unsigned i = 0; i < ROUNDS_MAX && tls->stage == STAGE_OPEN && pull_net(tls); i++)
        ;
    for (unsigned i = 0; i < ROUNDS_MAX && tls->stage == STAGE_OPEN && pull_plain(tls); i++)
        ;
    if (tls->stage == STAGE_OPEN)
        pass_on_ends(tls);
}

static void watch(uv_poll_t *poll, int *watched, int wanted, uv_poll_cb callback)
{
    if (*watched == wanted)
        return;
    *watched = wanted;
    if (wanted != 0)
        uv_poll_start(poll, wanted, callback);
    else
        uv_poll_stop(poll);
}

static void watch_both(struct tls *tls)
{
    bool open = tls->stage == STAGE_OPEN;
    int net = tls->wants_write || (open && tls->to_net.bytes != NULL) ? UV_WRITABLE : 0;
    int plain = open && tls->to_plain.bytes != NULL ? UV_WRITABLE : 0;

    if (!open || (tls->to_plain.bytes == NULL && !tls->net_over && !tls->finished))
        net |= UV_READABLE;
    if (open && !tls->plain_over && tls->to_net.bytes == NULL)
        plain |= UV_READABLE;
    watch(&tls->net, &tls->net_events, net, on_net);
    watch(&tls->plain, &tls->plain_events, plain, on_plain);
}

static void step(struct tls *tls)
{
    if (tls->stage == STAGE_PEEKING)
        peek(tls);
    else if (tls->stage == STAGE_TOLD)
        discard(tls);
    if (tls->stage == STAGE_SHAKING)
        shake(tls);
    if (tls->stage == STAGE_OPEN)
        pump(tls);
    if (tls->stage != STAGE_ENDED)
        watch_both(tls);
}

static void on_net(uv_poll_t *poll, int status, int events)
{
    struct tls *tls = poll->data;

    (void)events;
    if (status < 0) /* the connection is broken: there is nobody to tell */
        tls_abort(tls);
    else
        step(tls);
}

static void on_plain(uv_poll_t *poll, int status, int events)
{
    struct tls *tls = poll->data;

    (void)events;
    if (status < 0) /* libuv has stopped watching it; what is in it can still be read */
        tls->plain_events = 0;
    step(tls);
}

static enum error open_handles(struct tls *tls)
{
    if (uv_poll_init(tls->options.loop, &tls->net, tls->fd) != 0) {
        destroy(tls);
        return ERROR_IO;
    }
    tls->net.data = tls->plain.data = tls;
    tls->open_handles = 1;
    if (uv_poll_init(tls->options.loop, &tls->plain, tls->plain_fd) != 0) {
        /* Memory that libuv knows is freed when libuv says so. */
        tls->stage = STAGE_ENDED;
        tls->options.on_end = NULL;
        uv_close((uv_handle_t *)&tls->net, on_handle_closed);
        return ERROR_IO;
    }
    tls->open_handles = 2;
    watch_both(tls);
    return OK;
}

enum error tls_start(const struct tls_options *options, struct tls **out, int *plain_fd)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    enum error error;
    int pair[2];

    if (tls == NULL) {
        close(options->fd);
        return ERROR_MEMORY;
    }
    tls->options = *options;
    tls->fd = options->fd;
    tls->plain_fd = -1;
    tls->ssl = tls_context_session(options->context);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, tls->fd) != 1 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        destroy(tls);
        return ERROR_IO;
    }
    tls->plain_fd = pair[0];
    error = open_handles(tls);
    if (error != OK) {
        close(pair[1]);
        return error;
    }
    *out = tls;
    *plain_fd = pair[1];
    return OK;
}

int tls_client(const struct tls *tls)
{
    return tls->fd;
}

void tls_finish(struct tls *tls)
{
    if (tls->finished || tls->stage == STAGE_ENDED)
        return;
    tls->finished = true;
    tls->plain_told = true;
    drop_rest(&tls->to_plain);
    if (tls->stage == STAGE_OPEN)
        step(tls);
    else if (tls->stage != STAGE_TOLD)
        tls_abort(tls);
}

bool tls_moved(struct tls *tls)
{
    bool moved = tls->moved;

    tls->moved = false;
    return moved;
}

void tls_abandon(struct tls *tls)
{
    tls->options.on_ready = NULL;
    tls->options.on_failed = NULL;
    tls->options.on_end = NULL;
    tls_abort(tls);
}
