#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_target(const struct stream_target *target)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)target->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *address = (const struct sockaddr *)&loopback;
    socklen_t length = sizeof loopback;
    if (target->socket_path != NULL) {
        if (strlen(target->socket_path) >= sizeof local.sun_path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(local.sun_path, target->socket_path, strlen(target->socket_path) + 1);
        address = (const struct sockaddr *)&local;
        length = sizeof local;
    }
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct timeval timeout = {.tv_sec = STREAM_TIMEOUT_S};
    int on = 1;
    if (target->socket_path == NULL) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, address, length) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* One for all connections. */
static SSL_CTX *tls_context(void)
{
    static SSL_CTX *context;
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
        if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) {
            return NULL;
        }
        (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    return context;
}

static bool shake_hands(struct stream *stream)
{
    SSL_CTX *context = tls_context();
    stream->tls = context != NULL ? SSL_new(context) : NULL;
    return stream->tls != NULL && SSL_set_fd(stream->tls, stream->fd) == 1 &&
           SSL_connect(stream->tls) == 1;
}

bool stream_open(struct stream *stream, const struct stream_target *target)
{
    *stream = (struct stream){.fd = connect_target(target)};
    if (stream->fd < 0) {
        (void)fprintf(stderr, "bench_load: cannot connect: %s\n", strerror(errno));
        return false;
    }
    if (target->tls && !shake_hands(stream)) {
        (void)fprintf(stderr, "bench_load: no TLS\n");
        stream_close(stream);
        return false;
    }
    return true;
}

void stream_close(struct stream *stream)
{
    SSL_free(stream->tls);
    stream->tls = NULL;
    if (stream->fd >= 0) {
        (void)close(stream->fd);
        stream->fd = -1;
    }
}

bool stream_unblock(struct stream *stream)
{
    return fcntl(stream->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* What SSL_read() and SSL_write() answer, in the words of read() and write(). */
static ssize_t judge(const struct stream *stream, int result)
{
    if (result > 0) {
        return result;
    }
    int error = SSL_get_error(stream->tls, result);
    if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

ssize_t stream_read(struct stream *stream, void *bytes, size_t most)
{
    return stream->tls == NULL ? read(stream->fd, bytes, most)
                               : judge(stream, SSL_read(stream->tls, bytes, (int)most));
}

ssize_t stream_write(struct stream *stream, const void *bytes, size_t length)
{
    return stream->tls == NULL ? write(stream->fd, bytes, length)
                               : judge(stream, SSL_write(stream->tls, bytes, (int)length));
}

bool stream_has_more(const struct stream *stream)
{
    return stream->tls != NULL && SSL_pending(stream->tls) > 0;
}
