#include "connect/bridge/stream.h"

#include "base/log.h"
#include "connect/bridge/output.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than a TLS record holds, so that OpenSSL keeps nothing back that no poll would tell. */
#define READ_BYTES       65536
#define UNSENT_BYTES_MAX (256U * 1024 * 1024)

struct stream {
    uv_poll_t poll;
    int fd;
    SSL *ssl; /* NULL: plain */
    char pin[SHA256_HEX_SIZE];
    struct stream_user user;
    struct output output;
    int events; /* that are polled for */
    bool connected, opened, paused, dead;
    bool broken; /* nothing can be written any more; what has come is still read */
    char bytes[READ_BYTES];
};

/* ---- TLS ---- */

/* The name that the certificate may be chosen by; an address is none. */
static bool set_name(SSL *ssl, const char *host)
{
    char name[CONNECT_HOST_BYTES_MAX];
    size_t length = strcspn(host, ":");

    if (host[0] == '[' || strspn(host, "0123456789.") >= length)
        return true;
    memcpy(name, host, length);
    name[length] = '\0';
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* The name under which OpenSSL opens the very file that was looked at; the caller closes *fd. */
static bool open_own(const char *path, enum trusted_file_kind kind, int *fd, char name[32])
{
    char why[WHY_SIZE];

    if (trusted_file_open(path, kind, TRUST_OWN, fd, why) != OK) {
        log_error("%s", why);
        return false;
    }
    snprintf(name, 32, "/proc/self/fd/%d", *fd);
    return true;
}

static enum error use_own(SSL_CTX *context, const struct connect_place *place)
{
    int certificate_fd = -1, key_fd = -1;
    char certificate[32], key[32];
    bool used;

    if (place->certificate == NULL)
        return OK;
    used = open_own(place->certificate, TRUSTED_FILE_POLICY, &certificate_fd, certificate) &&
           open_own(place->key, TRUSTED_FILE_SECRET, &key_fd, key) &&
           SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(context) == 1;
    if (certificate_fd >= 0)
        close(certificate_fd);
    if (key_fd >= 0)
        close(key_fd);
    return used ? OK : ERROR_CRYPTO;
}

static enum error begin_tls(struct stream *stream, const struct connect_place *place)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    enum error error;

    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return ERROR_MEMORY;
    }
    memcpy(stream->pin, place->pin, sizeof(stream->pin));
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* is_pinned() asks for more */
    error = use_own(context, place);
    if (error == OK)
        stream->ssl = SSL_new(context);
    SSL_CTX_free(context); /* the SSL has its own reference */
    if (error != OK)
        return error;
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
        SSL_set_alpn_protos(stream->ssl, protocols, sizeof(protocols) - 1) != 0 ||
        !set_name(stream->ssl, place->host))
        return ERROR_MEMORY;
    SSL_set_connect_state(stream->ssl);
    return OK;
}

/* Whether the certificate is the one. It need not be vouched for by anybody else. */
static bool is_pinned(const struct stream *stream)
{
    X509 *certificate = SSL_get1_peer_certificate(stream->ssl);
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_SIZE] = "";
    unsigned length = 0;

    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, &length) == 1 &&
        length == sizeof(digest))
        text_hex(digest, sizeof(digest), hex);
    X509_free(certificate);
    return strcmp(hex, stream->pin) == 0;
}

/* Of an operation that did not go through: -1 with EAGAIN: later; 0: it never will. */
static ssize_t tls_failure(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    errno = EAGAIN;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static ssize_t read_bytes(struct stream *stream)
{
    size_t length;

    if (stream->ssl == NULL)
        return recv(stream->fd, stream->bytes, sizeof(stream->bytes), 0);
    ERR_clear_error();
    if (SSL_read_ex(stream->ssl, stream->bytes, sizeof(stream->bytes), &length) == 1)
        return (ssize_t)length;
    return tls_failure(stream->ssl, 0);
}

static ssize_t write_bytes(struct stream *stream, struct span rest)
{
    size_t length;

    if (stream->ssl == NULL)
        return send(stream->fd, rest.data, rest.length, MSG_NOSIGNAL);
    ERR_clear_error();
    if (SSL_write_ex(stream->ssl, rest.data, rest.length, &length) == 1)
        return (ssize_t)length;
    return tls_failure(stream->ssl, 0);
}

/* ---- The connection ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    SSL_free(stream->ssl);
    close(stream->fd);
    secret_wipe(stream->bytes, sizeof(stream->bytes));
    output_clear(&stream->output);
    free(stream);
}

static void die(struct stream *stream)
{
    if (stream->dead)
        return;
    stream->dead = true;
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
    stream->user.closed(stream->user.context, stream->opened);
}

/* Writes what the other end takes; false if there was nothing. */
static bool write_some(struct stream *stream)
{
    struct span rest = output_rest(&stream->output);
    ssize_t length;

    if (rest.length == 0 || stream->broken)
        return false;
    length = write_bytes(stream, rest);
    if (length > 0)
        output_taken(&stream->output, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        stream->broken = true;
    return length > 0;
}

static void read_some(struct stream *stream)
{
    ssize_t length = read_bytes(stream);

    if (length > 0)
        stream->user.received(stream->user.context, stream->bytes, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR) || stream->broken)
        die(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct stream *stream)
{
    int events = 0;

    if (!stream->opened)
        events = stream->connected && !SSL_want_write(stream->ssl) ? UV_READABLE : UV_WRITABLE;
    else if (!stream->paused)
        events = UV_READABLE;
    if (stream->opened && !stream->broken && output_rest(&stream->output).length > 0)
        events |= UV_WRITABLE;
    if (stream->dead || events == stream->events)
        return;
    stream->events = events;
    if (events == 0)
        uv_poll_stop(&stream->poll);
    else
        uv_poll_start(&stream->poll, events, on_poll);
}

static bool shake_hands(struct stream *stream)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(stream->ssl);
    if (result == 1 && is_pinned(stream))
        return true;
    if (result == 1)
        log_warning("what answers at the gate's port does not show the gate's certificate");
    else if (tls_failure(stream->ssl, result) < 0)
        return false;
    else
        log_warning("the TLS handshake with the gate failed");
    die(stream);
    return false;
}

static void open_up(struct stream *stream)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (!stream->connected &&
        (stream->broken || getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ||
         error != 0)) {
        die(stream);
        return;
    }
    stream->connected = true;
    if (stream->ssl != NULL && !shake_hands(stream))
        return;
    stream->opened = true;
    stream->user.opened(stream->user.context);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *stream = poll->data;

    if (status < 0) { /* an error, upon which libuv watches no more */
        stream->events = 0;
        stream->broken = true;
        events = UV_READABLE;
    }
    if (!stream->opened) {
        open_up(stream);
    } else {
        if ((events & UV_WRITABLE) != 0 && write_some(stream) && stream->user.taken != NULL)
            stream->user.taken(stream->user.context);
        if ((events & UV_READABLE) != 0 && !stream->paused && !stream->dead)
            read_some(stream);
    }
    watch(stream);
}

static enum error open_socket(struct stream *stream, const struct sockaddr *address)
{
    socklen_t size =
        address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1;

    stream->fd =
        socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (stream->fd < 0)
        return ERROR_IO;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* A refusal that comes at once is told from the loop, like any other. */
    stream->broken = connect(stream->fd, address, size) < 0 && errno != EINPROGRESS;
    return OK;
}

enum error stream_open(uv_loop_t *loop, const struct connect_place *place,
                       const struct stream_user *user, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    enum error error;

    if (stream == NULL)
        return ERROR_MEMORY;
    stream->user = *user;
    stream->poll.data = stream;
    output_init(&stream->output, UNSENT_BYTES_MAX);
    error = open_socket(stream, (const struct sockaddr *)&place->address);
    if (error == OK && place->pin[0] != '\0')
        error = begin_tls(stream, place);
    if (error == OK && uv_poll_init(loop, &stream->poll, stream->fd) != 0)
        error = ERROR_IO;
    if (error != OK) {
        if (stream->fd >= 0)
            close(stream->fd);
        SSL_free(stream->ssl);
        free(stream);
        return error;
    }
    watch(stream);
    *out = stream;
    return OK;
}

void stream_hand_over(struct stream *stream, const struct stream_user *user)
{
    stream->user = *user;
}

void stream_send(struct stream *stream, const char *bytes, size_t length)
{
    if (!stream->broken && !output_add(&stream->output, bytes, length)) {
        stream->broken = true;
        shutdown(stream->fd, SHUT_RDWR); /* which the loop tells as if the other end had gone */
    }
    watch(stream);
}

size_t stream_unsent(const struct stream *stream)
{
    return output_rest(&stream->output).length;
}

void stream_pause(struct stream *stream, bool pause)
{
    stream->paused = pause;
    watch(stream);
}

void stream_close(struct stream *stream, bool flush)
{
    if (stream->dead)
        return;
    stream->dead = true;
    if (flush && stream->opened)
        write_some(stream);
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
}
