#include "launch/relay/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (16 * 1024)
/* A head, and what was read behind it: a body moves on before more is read. */
#define IN_BYTES_MAX (HTTP_HEAD_BYTES_MAX + 2 * READ_BYTES)

static void watch(struct link *link);

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    buffer_wipe(&link->in);
    buffer_wipe(&link->out);
    buffer_wipe(&link->head);
    buffer_wipe(&link->body);
    ws_reader_clear(&link->reader);
    free(link);
}

/* False: it has gone. */
static bool flush(struct link *link)
{
    while (link->out.length > 0) {
        ssize_t sent =
            send(link->fd, link->out.data, link->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN;
        buffer_consume(&link->out, (size_t)sent);
    }
    return !buffer_failed(&link->out);
}

static bool receive(struct link *link)
{
    void *room = buffer_reserve(&link->in, READ_BYTES);
    ssize_t length;

    if (room == NULL)
        return false;
    length = recv(link->fd, room, READ_BYTES, MSG_DONTWAIT);
    if (length > 0)
        buffer_commit(&link->in, (size_t)length);
    return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    bool waited = link->out.length > 0;

    (void)status; /* whatever it was: reading and writing tell */
    if (!flush(link)) {
        link->events->gone(link);
        return;
    }
    if (waited && link->out.length == 0)
        link->events->drained(link);
    if (link->fd >= 0 && (events & UV_WRITABLE) == 0) {
        if (receive(link))
            link->events->bytes(link);
        else
            link->events->gone(link);
    }
    if (link->fd >= 0)
        watch(link);
}

/* Nothing of what is to be written waits for a read. */
static void watch(struct link *link)
{
    bool writes = link->out.length > 0 || buffer_failed(&link->out);

    uv_poll_start(&link->poll, UV_READABLE | (writes ? UV_WRITABLE : 0), on_ready);
}

enum error link_open(uv_loop_t *loop, int fd, const struct link_events *events, void *house,
                     size_t max_body_bytes, size_t max_out_bytes, struct link **out)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL || uv_poll_init(loop, &link->poll, fd) != 0) {
        close(fd);
        free(link);
        return ERROR_MEMORY;
    }
    link->poll.data = link;
    link->fd = fd;
    link->events = events;
    link->house = house;
    buffer_init(&link->in, IN_BYTES_MAX);
    buffer_init(&link->out, max_out_bytes);
    buffer_init(&link->head, HTTP_HEAD_BYTES_MAX);
    buffer_init(&link->body, max_body_bytes);
    ws_reader_init(&link->reader, WS_FROM_CLIENT, max_body_bytes);
    watch(link);
    *out = link;
    return OK;
}

void link_send(struct link *link)
{
    if (link->fd < 0)
        return;
    (void)flush(link); /* one that has gone says so in its own turn */
    watch(link);
}

bool link_is_full(const struct link *link)
{
    return link->out.length > LINK_FULL_BYTES;
}

void link_rest(struct link *link)
{
    link->wait = LINK_IDLE;
    link->session = NULL;
    link->modern = link->opens = link->receiving = false;
    link->key[0] = link->id[0] = link->token_key[0] = link->token[0] = '\0';
    buffer_clear(&link->body);
}

void link_close(struct link *link)
{
    if (link->fd < 0)
        return;
    uv_close((uv_handle_t *)&link->poll, on_closed);
    close(link->fd);
    link->fd = -1;
}
