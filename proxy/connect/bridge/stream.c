#include "connect/bridge/stream.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES 65536

struct stream {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_shutdown_t ending;
    struct stream_user user;
    struct client_tls *tls; /* NULL: plain */
    bool connected, opened, paused, reading, dead;
    char bytes[READ_BYTES];
    char plain[READ_BYTES]; /* of TLS */
};

/* A write in flight, with its bytes behind it. */
struct sending {
    uv_write_t write;
    size_t length;
    char bytes[];
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    secret_wipe(stream->bytes, sizeof(stream->bytes));
    secret_wipe(stream->plain, sizeof(stream->plain));
    client_tls_destroy(stream->tls);
    free(stream);
}

static void close_handle(struct stream *stream)
{
    if (!uv_is_closing((uv_handle_t *)&stream->tcp))
        uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
}

static void die(struct stream *stream)
{
    if (stream->dead)
        return;
    stream->dead = true;
    close_handle(stream);
    stream->user.closed(stream->user.context, stream->opened);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *stream = handle->data;

    (void)suggested;
    *out = uv_buf_init(stream->bytes, sizeof(stream->bytes));
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *sending = (struct sending *)write;
    struct stream *stream = write->data;

    secret_wipe(sending->bytes, sending->length);
    free(sending);
    if (status < 0)
        die(stream);
    else if (!stream->dead && stream->user.taken != NULL)
        stream->user.taken(stream->user.context);
}

/* Both directions end, which the loop then tells as if the other end had gone. */
static void break_off(struct stream *stream)
{
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0)
        shutdown(fd, SHUT_RDWR);
}

static void send_raw(struct stream *stream, const char *bytes, size_t length)
{
    struct sending *sending;
    uv_buf_t piece;

    if (stream->dead)
        return;
    sending = malloc(sizeof(*sending) + length);
    if (sending == NULL) {
        break_off(stream);
        return;
    }
    memcpy(sending->bytes, bytes, length);
    sending->length = length;
    sending->write.data = stream;
    piece = uv_buf_init(sending->bytes, (unsigned)length);
    if (uv_write(&sending->write, (uv_stream_t *)&stream->tcp, &piece, 1, on_written) != 0) {
        secret_wipe(sending->bytes, length);
        free(sending);
        break_off(stream);
    }
}

/* What TLS has to say to the other end, of its own accord or for the user. */
static void send_records(struct stream *stream)
{
    size_t length;

    while ((length = client_tls_take(stream->tls, stream->bytes, sizeof(stream->bytes))) > 0)
        send_raw(stream, stream->bytes, length);
}

void stream_send(struct stream *stream, const char *bytes, size_t length)
{
    if (stream->dead || stream->tls == NULL) {
        send_raw(stream, bytes, length);
        return;
    }
    if (client_tls_write(stream->tls, bytes, length) != OK)
        break_off(stream);
    send_records(stream);
}

static void open_up(struct stream *stream)
{
    stream->opened = true;
    stream->user.opened(stream->user.context);
}

static void shake_hands(struct stream *stream)
{
    enum client_tls_progress progress = client_tls_handshake(stream->tls);

    if (progress == CLIENT_TLS_FAULT) {
        die(stream);
        return;
    }
    send_records(stream);
    if (progress == CLIENT_TLS_DONE)
        open_up(stream);
}

static void on_records(struct stream *stream, const char *bytes, size_t length)
{
    ssize_t plain = 0;

    if (client_tls_receive(stream->tls, bytes, length) != OK) {
        die(stream);
        return;
    }
    if (!stream->opened)
        shake_hands(stream);
    while (stream->opened && !stream->dead &&
           (plain = client_tls_read(stream->tls, stream->plain, sizeof(stream->plain))) > 0)
        stream->user.received(stream->user.context, stream->plain, (size_t)plain);
    if (plain < 0 && !stream->dead)
        die(stream);
}

static void on_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *room)
{
    struct stream *stream = handle->data;

    if (stream->dead || length == 0)
        return;
    if (length < 0)
        die(stream);
    else if (stream->tls != NULL)
        on_records(stream, room->base, (size_t)length);
    else
        stream->user.received(stream->user.context, room->base, (size_t)length);
}

static void read_or_not(struct stream *stream)
{
    bool wanted = stream->connected && !stream->paused && !stream->dead;

    if (wanted == stream->reading)
        return;
    stream->reading = wanted;
    if (wanted)
        uv_read_start((uv_stream_t *)&stream->tcp, on_room, on_read);
    else
        uv_read_stop((uv_stream_t *)&stream->tcp);
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct stream *stream = connecting->data;

    if (stream->dead)
        return;
    if (status < 0) {
        die(stream);
        return;
    }
    stream->connected = true;
    read_or_not(stream);
    if (stream->tls != NULL)
        shake_hands(stream);
    else
        open_up(stream);
}

enum error stream_open(uv_loop_t *loop, const struct stream_target *target,
                       const struct stream_user *user, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return ERROR_MEMORY;
    stream->user = *user;
    if (target->tls != NULL) {
        enum error error = client_tls_create(target->tls, &stream->tls);

        if (error != OK) {
            free(stream);
            return error;
        }
    }
    if (uv_tcp_init(loop, &stream->tcp) != 0) {
        client_tls_destroy(stream->tls);
        free(stream);
        return ERROR_IO;
    }
    stream->tcp.data = stream;
    stream->connecting.data = stream;
    if (uv_tcp_connect(&stream->connecting, &stream->tcp, (const struct sockaddr *)target->address,
                       on_connected) != 0) {
        stream->dead = true;
        close_handle(stream);
        return ERROR_IO;
    }
    uv_tcp_nodelay(&stream->tcp, 1);
    *out = stream;
    return OK;
}

size_t stream_unsent(const struct stream *stream)
{
    return stream->dead ? 0 : stream->tcp.write_queue_size;
}

void stream_pause(struct stream *stream, bool pause)
{
    stream->paused = pause;
    read_or_not(stream);
}

static void on_ended(uv_shutdown_t *ending, int status)
{
    (void)status;
    close_handle(ending->data);
}

void stream_close(struct stream *stream, bool flush)
{
    if (stream->dead)
        return;
    stream->dead = true;
    read_or_not(stream);
    stream->ending.data = stream;
    if (!flush || !stream->opened ||
        uv_shutdown(&stream->ending, (uv_stream_t *)&stream->tcp, on_ended) != 0)
        close_handle(stream);
}

void stream_abort(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    stream->dead = true;
    close_handle(stream);
}
