#include "worker/tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_HANDSHAKE 0x16 /* the first byte of every client's TLS (RFC 8446 section 5.1) */

struct tls {
    SSL *ssl;
    int fd;
    bool peeked;      /* it is TLS */
    bool wants_write; /* OpenSSL has bytes of its own to send */
    bool drained;     /* the last read found no whole record */
    bool untold;      /* it found the end, after bytes */
};

enum error tls_create(struct ssl_ctx_st *context, int fd, struct tls **out)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return ERROR_MEMORY;
    tls->fd = fd;
    tls->ssl = tls_context_session(context);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        tls_destroy(tls);
        return ERROR_MEMORY;
    }
    *out = tls;
    return OK;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

/* ---- The handshake ---- */

/* Somebody who speaks HTTP to a port that speaks TLS has most likely a wrong URL. */
static enum tls_stage peek(struct tls *tls)
{
    unsigned char first;
    ssize_t length = recv(tls->fd, &first, 1, MSG_PEEK);

    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return TLS_SHAKING;
    if (length != 1)
        return TLS_FAILED;
    if ((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z'))
        return TLS_PLAIN;
    tls->peeked = first == RECORD_HANDSHAKE;
    return tls->peeked ? TLS_SHAKING : TLS_FAILED;
}

enum tls_stage tls_shake(struct tls *tls)
{
    enum tls_stage stage = tls->peeked ? TLS_SHAKING : peek(tls);
    int result, error;

    if (stage != TLS_SHAKING || !tls->peeked)
        return stage;
    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    error = SSL_get_error(tls->ssl, result);
    tls->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (result == 1)
        return TLS_OPEN;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return TLS_SHAKING;
    return tls_context_blames_certificate() ? TLS_CERTIFICATE : TLS_FAILED;
}

bool tls_peer(const struct tls *tls, char out[SHA256_HEX_SIZE])
{
    return tls_context_peer(tls->ssl, out);
}

/* ---- Bytes ---- */

/* Of a call that did not succeed: 0 at the end, else -1 and errno. */
static ssize_t failure(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_WRITE:
        tls->wants_write = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

ssize_t tls_receive(struct tls *tls, void *out, size_t room)
{
    unsigned char *at = out;
    size_t done = 0;

    tls->wants_write = tls->untold = false;
    do {
        size_t most = room - done < INT_MAX ? room - done : INT_MAX;
        int length;

        ERR_clear_error();
        length = SSL_read(tls->ssl, at + done, (int)most);
        tls->drained = length <= 0;
        if (length <= 0 && done == 0)
            return failure(tls, length);
        if (length <= 0)
            tls->untold = SSL_get_error(tls->ssl, length) != SSL_ERROR_WANT_READ;
        else
            done += (size_t)length;
    } while (!tls->drained && done < room && SSL_has_pending(tls->ssl) == 1);
    return (ssize_t)done;
}

/* Short parts go together: a head and its body are one record. Returns how much is in `record`. */
static size_t gather(unsigned char record[TLS_RECORD_BYTES], const struct iovec *parts,
                     size_t count, size_t skip)
{
    size_t length = 0;

    for (size_t i = 0; i < count && length < TLS_RECORD_BYTES; i++) {
        size_t skipped = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        size_t left = parts[i].iov_len - skipped;
        size_t most = left < TLS_RECORD_BYTES - length ? left : TLS_RECORD_BYTES - length;

        skip -= skipped;
        if (most > 0)
            memcpy(record + length, (const unsigned char *)parts[i].iov_base + skipped, most);
        length += most;
    }
    return length;
}

/* One record of what lies behind `skip`. */
static int send_record(struct tls *tls, const struct iovec *parts, size_t count, size_t skip,
                       size_t left)
{
    unsigned char record[TLS_RECORD_BYTES];
    size_t length = left < TLS_RECORD_BYTES ? left : TLS_RECORD_BYTES;
    const void *from = record;

    if (count == 1)
        from = (const unsigned char *)parts->iov_base + skip;
    else
        length = gather(record, parts, count, skip);
    ERR_clear_error();
    return SSL_write(tls->ssl, from, (int)length);
}

ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t count)
{
    size_t total = 0, done = 0;

    for (size_t i = 0; i < count; i++)
        total += parts[i].iov_len;
    while (done < total) {
        int sent = send_record(tls, parts, count, done, total - done);

        if (sent > 0) {
            done += (size_t)sent;
            continue;
        }
        if (done > 0)
            break;
        if (failure(tls, sent) == 0)
            errno = ECONNRESET;
        tls->wants_write = false; /* who sends watches for that himself */
        return -1;
    }
    return (ssize_t)done;
}

void tls_finish(struct tls *tls)
{
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
}

bool tls_wants_write(const struct tls *tls)
{
    return tls->wants_write;
}

bool tls_has_more(const struct tls *tls)
{
    return tls->untold || (!tls->drained && SSL_has_pending(tls->ssl) == 1);
}
