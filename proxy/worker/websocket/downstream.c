#include "worker/websocket/downstream.h"

#include "base/pace.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(ASSEMBLY_HEADROOM >= LWS_PRE, "headroom for libwebsockets' frame header");

#define RX_BYTES           3328 /* the most that an idle client costs: each has such a buffer */
#define CANONICAL_HEAD_MAX 512

/*
 * The subprotocol to answer differs per connection, but libwebsockets looks names up
 * in a fixed table: this slot is renamed just before it takes over a descriptor.
 */
static char subprotocol_slot[64];

static struct downstream *of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static int on_new_client(struct lws *wsi)
{
    const struct downstreams *all = lws_context_user(lws_get_context(wsi));

    if (all->adopting == NULL)
        return -1;
    lws_set_opaque_user_data(wsi, all->adopting);
    all->adopting->wsi = wsi;
    return 0;
}

/* One piece of a message: at most RX_BYTES, and never across two frames. */
static int on_receive(struct lws *wsi, void *in, size_t length)
{
    struct downstream *downstream = of(wsi);
    struct assembly *assembly = &downstream->message, whole;
    size_t left = lws_remaining_packet_payload(wsi);
    bool ends = lws_is_final_fragment(wsi) && left == 0;

    if (downstream->close_sent || downstream->close_received)
        return 0;
    if (lws_is_first_fragment(wsi)) {
        downstream->binary = lws_frame_is_binary(wsi) != 0;
        if (ends && length <= downstream->max_message_bytes) {
            downstream->events->message(downstream->owner, DIRECTION_C2S, in, length,
                                        downstream->binary);
            return 0;
        }
        downstream->message_clock_ms = uv_now(&downstream->all->worker->loop);
        assembly_begin(assembly, downstream->message_clock_ms);
    }
    if (!assembly->active) {
        downstream->events->fault(downstream->owner, REASON_CLIENT_PROTOCOL);
        return 0;
    }
    if (assembly_append(assembly, in, length, left, downstream->max_message_bytes) != OK) {
        downstream->events->fault(downstream->owner, REASON_MESSAGE_TOO_BIG);
        return 0;
    }
    if (!ends) {
        downstream->message_clock_ms =
            pace_pay(downstream->message_clock_ms, uv_now(&downstream->all->worker->loop), length);
        downstream->events->kept(downstream->owner);
        return 0;
    }
    whole = *assembly;
    *assembly = (struct assembly){0};
    downstream->events->message(downstream->owner, DIRECTION_C2S, whole.data + ASSEMBLY_HEADROOM,
                                whole.length, downstream->binary);
    assembly_clear(&whole);
    return 0;
}

static int on_pong(struct lws *wsi, void *in, size_t length)
{
    const struct downstream *downstream = of(wsi);

    downstream->events->beat(downstream->owner, DIRECTION_C2S, in, length);
    return 0;
}

static int on_peer_close(struct lws *wsi, void *in, size_t length)
{
    struct downstream *downstream = of(wsi);
    const unsigned char *bytes = in;
    unsigned code;

    if (!ws_close_read(bytes, length, &code))
        downstream->events->fault(downstream->owner, REASON_CLIENT_PROTOCOL);
    downstream->close_received = true;
    downstream->events->closed(downstream->owner, DIRECTION_C2S, code,
                               length > 2 ? (const char *)bytes + 2 : NULL,
                               length > 2 ? length - 2 : 0);
    /* The answer to our own close frame: nothing is left to say. */
    return downstream->close_sent ? -1 : 0;
}

static void on_writable(struct lws *wsi)
{
    struct downstream *downstream = of(wsi);

    if (!downstream->blocked || lws_partial_buffered(wsi))
        return;
    downstream->blocked = false;
    downstream->blocked_bytes = 0;
    downstream->events->flow(downstream->owner);
}

static void forgive(struct downstream *downstream)
{
    struct downstream **at = &downstream->all->doomed;

    while (*at != NULL && *at != downstream)
        at = &(*at)->next;
    if (*at != NULL)
        *at = downstream->next;
}

static void on_destroy(struct lws *wsi)
{
    struct downstream *downstream = of(wsi);

    if (downstream == NULL)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    downstream->wsi = NULL;
    forgive(downstream);
    if (downstream->all->adopting != downstream)
        downstream->events->ended(downstream->owner, DIRECTION_C2S);
}

static int dispatch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return on_new_client(wsi);
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_RAW_ADOPT:
        return -1; /* plain HTTP and raw roles: nothing of ours leads there */
    case LWS_CALLBACK_RECEIVE:
        return on_receive(wsi, in, length);
    case LWS_CALLBACK_RECEIVE_PONG:
        return on_pong(wsi, in, length);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(wsi, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        on_writable(wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroy(wsi);
        return 0;
    default:
        return 0;
    }
}

/* The first takes clients without a subprotocol; a client cannot offer its name. */
static const struct lws_protocols protocols[] = {
    {.name = "sidelock downstream", .callback = dispatch, .rx_buffer_size = RX_BYTES},
    {.name = subprotocol_slot, .callback = dispatch, .rx_buffer_size = RX_BYTES},
    {0},
};

enum error downstream_start(struct downstreams *all, struct worker *worker)
{
    void *loops[1] = {&worker->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .user = all,
        .max_http_header_pool = 1,
        .max_http_header_data = CANONICAL_HEAD_MAX,
        .pt_serv_buf_size = READ_BYTES,
    };

    all->worker = worker;
    lws_set_log_level(0, NULL);
    all->context = lws_create_context(&info);
    if (all->context == NULL)
        return ERROR_IO;
    all->vhost = lws_create_vhost(all->context, &info);
    return all->vhost != NULL ? OK : ERROR_IO;
}

void downstream_stop(struct downstreams *all)
{
    /* On a loop of ours, libwebsockets needs the loop to turn between two calls. */
    lws_context_destroy(all->context);
    uv_run(&all->worker->loop, UV_RUN_DEFAULT);
    lws_context_destroy(all->context);
}

enum error downstream_adopt(struct downstream *downstream, int fd, const char *key,
                            const char *subprotocol)
{
    struct downstreams *all = downstream->all;
    bool chosen = subprotocol[0] != '\0';
    char head[CANONICAL_HEAD_MAX];
    int length =
        snprintf(head, sizeof(head),
                 "GET / HTTP/1.1\r\n"
                 "Host: sidelock\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "%s%s%s\r\n",
                 key, chosen ? "Sec-WebSocket-Protocol: " : "", subprotocol, chosen ? "\r\n" : "");

    snprintf(subprotocol_slot, sizeof(subprotocol_slot), "%s", subprotocol);
    all->adopting = downstream;
    /* On failure the descriptor is closed and WSI_DESTROY has been called. */
    (void)!lws_adopt_socket_vhost_readbuf(all->vhost, fd, head, (size_t)length);
    all->adopting = NULL;
    return downstream->wsi != NULL ? OK : ERROR_IO;
}

enum error downstream_send(struct downstream *downstream, enum ws_opcode opcode,
                           unsigned char *payload, size_t length)
{
    enum lws_write_protocol protocol = opcode == WS_TEXT     ? LWS_WRITE_TEXT
                                       : opcode == WS_BINARY ? LWS_WRITE_BINARY
                                                             : LWS_WRITE_PING;

    if (downstream->wsi == NULL || downstream->blocked)
        return ERROR_STATE;
    if (lws_write(downstream->wsi, payload, length, protocol) < 0)
        return ERROR_IO;
    if (lws_partial_buffered(downstream->wsi)) {
        downstream->blocked = true;
        downstream->blocked_bytes = length;
        downstream->blocked_since_ms = uv_now(&downstream->all->worker->loop);
        lws_callback_on_writable(downstream->wsi);
    }
    return OK;
}

void downstream_pause(struct downstream *downstream, bool pause)
{
    if (downstream->wsi == NULL || downstream->paused == pause)
        return;
    downstream->paused = pause;
    lws_rx_flow_control(downstream->wsi, pause ? 0 : 1);
}

void downstream_abort(struct downstream *downstream)
{
    if (downstream->wsi == NULL || downstream->is_doomed)
        return;
    downstream->is_doomed = true;
    downstream->next = downstream->all->doomed;
    downstream->all->doomed = downstream;
}

void downstream_abort_doomed(struct downstreams *all)
{
    while (all->doomed != NULL) {
        struct downstream *downstream = all->doomed;

        all->doomed = downstream->next;
        /* Else libwebsockets keeps for seconds what the client does not take. */
        shutdown(lws_get_socket_fd(downstream->wsi), SHUT_WR);
        lws_set_timeout(downstream->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
}

/*
 * Writes the close frame as it stands on the wire (RFC 6455 section 5.5.1):
 * lws_close_reason() and -1 from a callback lose it in Debian 12's build, which
 * under libuv closes a second time before it was sent.
 */
void downstream_close(struct downstream *downstream, unsigned code, const char *text,
                      size_t text_length)
{
    unsigned char frame[ASSEMBLY_HEADROOM + WS_HEADER_MAX + WS_CONTROL_PAYLOAD_MAX];
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX], *at = frame + ASSEMBLY_HEADROOM;
    size_t length = ws_close_write(payload, code, text, text_length);
    size_t header = ws_header_write(at, WS_CLOSE, length, NULL);

    if (downstream->wsi == NULL)
        return;
    memcpy(at + header, payload, length);
    downstream->close_sent = true;
    if (downstream->blocked || lws_write(downstream->wsi, at, header + length, LWS_WRITE_RAW) < 0)
        downstream_abort(downstream);
}
