/*
 * The client's side, spoken by libwebsockets' server role. It only ever sees
 * clients that were admitted: the handshake it parses is one we wrote, with
 * nothing of the client's in it but the checked Sec-WebSocket-Key.
 */
#include "worker/client/connection.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

_Static_assert(PRE_BYTES >= LWS_PRE, "headroom for libwebsockets' frame header");

#define RX_BYTES           4096
#define CANONICAL_HEAD_MAX 512

/*
 * The subprotocol to answer differs per connection, but libwebsockets looks
 * names up in a fixed table: this slot is renamed just before the look-up.
 */
static char subprotocol_slot[64];

static struct connection *connection_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static int on_new_client(struct lws *wsi, void *in, size_t length)
{
    (void)in;
    (void)length;
    struct worker *worker = lws_context_user(lws_get_context(wsi));

    if (worker->adopting == NULL)
        return -1;
    lws_set_opaque_user_data(wsi, worker->adopting);
    worker->adopting->wsi = wsi;
    return 0;
}

static int on_confirm_upgrade(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);

    (void)in;
    (void)length;
    if (connection == NULL || connection->handshake == NULL)
        return -1;
    snprintf(subprotocol_slot, sizeof(subprotocol_slot), "%s", connection->handshake->subprotocol);
    return 0;
}

/* Plain HTTP and raw roles: nothing of ours leads there. */
static int on_never(struct lws *wsi, void *in, size_t length)
{
    (void)wsi;
    (void)in;
    (void)length;
    return -1;
}

/* One piece of a message: at most RX_BYTES, and never across two frames. */
static int on_receive(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);
    struct assembly *assembly = &connection->from_client;
    bool binary = lws_frame_is_binary(wsi) != 0;
    size_t left = lws_remaining_packet_payload(wsi);
    size_t max_bytes = connection->surface->limits.max_message_bytes;

    if (connection->state != CONNECTION_OPEN || connection->client_closed)
        return 0;
    if (lws_is_first_fragment(wsi)) {
        if (lws_is_final_fragment(wsi) && left == 0 && length <= max_bytes) {
            relay_message(connection, DIRECTION_C2S, in, length, binary);
            return 0;
        }
        assembly_begin(assembly, worker_now_ms(connection->worker));
        connection->from_client_binary = binary;
    }
    if (!assembly->active) {
        connection_drop(connection, REASON_CLIENT_PROTOCOL);
        return 0;
    }
    if (assembly_append(assembly, in, length, left, max_bytes) != OK) {
        connection_drop(connection, REASON_MESSAGE_TOO_BIG);
        return 0;
    }
    if (lws_is_final_fragment(wsi) && left == 0) {
        struct assembly whole = *assembly;

        *assembly = (struct assembly){0};
        relay_message(connection, DIRECTION_C2S, whole.data + PRE_BYTES, whole.length,
                      connection->from_client_binary);
        assembly_clear(&whole);
    }
    return 0;
}

static int on_pong(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);

    if (connection->state != CONNECTION_OPEN)
        return 0;
    if (connection->ping_outstanding && length == GATE_PING_BYTES &&
        memcmp(in, GATE_PING, GATE_PING_BYTES) == 0) {
        connection->ping_outstanding = false;
    } else if (connection->service_pings > 0) {
        connection->service_pings--;
        link_send(connection, WS_PONG, in, length);
        relay_flow(connection);
    }
    return 0;
}

static int on_peer_close(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);
    const unsigned char *bytes = in;
    unsigned code;

    if (!ws_close_read(bytes, length, &code))
        connection_drop(connection, REASON_CLIENT_PROTOCOL);
    connection->client_closed = true;
    if (connection->state == CONNECTION_OPEN)
        connection_drop_as(connection, REASON_CLIENT_CLOSED, code,
                           length > 2 ? (const char *)bytes + 2 : NULL,
                           length > 2 ? length - 2 : 0);
    /* The answer to our own close frame: nothing is left to say. */
    return connection->close_sent ? -1 : 0;
}

static int on_writable(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);

    (void)in;
    (void)length;
    if (!connection->client_blocked || lws_partial_buffered(wsi))
        return 0;
    connection->client_blocked = false;
    if (connection->state == CONNECTION_OPEN) {
        relay_flow(connection);
        link_resume(connection);
    }
    return 0;
}

static int on_destroy(struct lws *wsi, void *in, size_t length)
{
    struct connection *connection = connection_of(wsi);

    (void)in;
    (void)length;
    if (connection == NULL)
        return 0;
    lws_set_opaque_user_data(wsi, NULL);
    connection->wsi = NULL;
    if (connection->state == CONNECTION_OPEN && connection->worker->adopting != connection)
        connection_drop(connection, REASON_CLIENT_CLOSED);
    connection_release(connection);
    return 0;
}

static const struct {
    enum lws_callback_reasons reason;
    int (*handle)(struct lws *wsi, void *in, size_t length);
} handlers[] = {
    {LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED, on_new_client},
    {LWS_CALLBACK_HTTP_CONFIRM_UPGRADE, on_confirm_upgrade},
    {LWS_CALLBACK_HTTP, on_never},
    {LWS_CALLBACK_RAW_ADOPT, on_never},
    {LWS_CALLBACK_RECEIVE, on_receive},
    {LWS_CALLBACK_RECEIVE_PONG, on_pong},
    {LWS_CALLBACK_WS_PEER_INITIATED_CLOSE, on_peer_close},
    {LWS_CALLBACK_SERVER_WRITEABLE, on_writable},
    {LWS_CALLBACK_WSI_DESTROY, on_destroy},
};

static int dispatch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    (void)user;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].reason == reason)
            return handlers[i].handle(wsi, in, length);
    }
    return 0;
}

/* The first takes clients without a subprotocol; a client cannot offer its name. */
static const struct lws_protocols protocols[] = {
    {.name = "sidelock downstream", .callback = dispatch, .rx_buffer_size = RX_BYTES},
    {.name = subprotocol_slot, .callback = dispatch, .rx_buffer_size = RX_BYTES},
    {0},
};

enum error downstream_start(struct worker *worker)
{
    void *loops[1] = {&worker->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .user = worker,
        .max_http_header_pool = 1,
        .max_http_header_data = CANONICAL_HEAD_MAX,
        .pt_serv_buf_size = READ_BYTES,
    };

    lws_set_log_level(0, NULL);
    worker->lws = lws_create_context(&info);
    if (worker->lws == NULL)
        return ERROR_IO;
    worker->vhost = lws_create_vhost(worker->lws, &info);
    return worker->vhost != NULL ? OK : ERROR_IO;
}

void downstream_stop(struct worker *worker)
{
    /* On a loop of ours, libwebsockets needs the loop to turn between two calls. */
    lws_context_destroy(worker->lws);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    lws_context_destroy(worker->lws);
}

enum error downstream_adopt(struct connection *connection, int fd)
{
    const struct handshake *handshake = connection->handshake;
    struct worker *worker = connection->worker;
    bool chosen = handshake->subprotocol[0] != '\0';
    char head[CANONICAL_HEAD_MAX];
    int length = snprintf(head, sizeof(head),
                          "GET / HTTP/1.1\r\n"
                          "Host: sidelock\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "%s%s%s\r\n",
                          handshake->key, chosen ? "Sec-WebSocket-Protocol: " : "",
                          handshake->subprotocol, chosen ? "\r\n" : "");

    worker->adopting = connection;
    /* On failure the descriptor is closed and WSI_DESTROY has been called. */
    (void)!lws_adopt_socket_vhost_readbuf(worker->vhost, fd, head, (size_t)length);
    worker->adopting = NULL;
    return connection->wsi != NULL ? OK : ERROR_IO;
}

enum error downstream_send(struct connection *connection, enum ws_opcode opcode,
                           unsigned char *payload, size_t length)
{
    enum lws_write_protocol protocol = opcode == WS_TEXT     ? LWS_WRITE_TEXT
                                       : opcode == WS_BINARY ? LWS_WRITE_BINARY
                                                             : LWS_WRITE_PING;

    if (connection->wsi == NULL || connection->client_blocked)
        return ERROR_STATE;
    if (lws_write(connection->wsi, payload, length, protocol) < 0)
        return ERROR_IO;
    if (lws_partial_buffered(connection->wsi)) {
        connection->client_blocked = true;
        connection->blocked_since_ms = worker_now_ms(connection->worker);
        lws_callback_on_writable(connection->wsi);
    }
    return OK;
}

void downstream_pause(struct connection *connection, bool pause)
{
    if (connection->wsi == NULL || connection->client_paused == pause)
        return;
    connection->client_paused = pause;
    lws_rx_flow_control(connection->wsi, pause ? 0 : 1);
}

void downstream_abort(struct connection *connection)
{
    connection->abort_wanted = true;
    connection->worker->abort_wanted = true;
}

void downstream_abort_pending(struct worker *worker)
{
    struct connection *next;

    if (!worker->abort_wanted)
        return;
    worker->abort_wanted = false;
    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        if (c->abort_wanted && c->wsi != NULL)
            lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
}

/*
 * Writes the close frame as it stands on the wire (RFC 6455 section 5.5.1):
 * lws_close_reason() and -1 from a callback lose it in Debian 12's build, which
 * under libuv closes a second time before it was sent.
 */
void downstream_close(struct connection *connection)
{
    unsigned char frame[PRE_BYTES + WS_HEADER_MAX + WS_CONTROL_PAYLOAD_MAX];
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX], *at = frame + PRE_BYTES;
    size_t length = ws_close_write(payload, connection->close_code, connection->close_text,
                                   connection->close_text_length);
    size_t header = ws_header_write(at, WS_CLOSE, length, NULL);

    if (connection->wsi == NULL)
        return;
    memcpy(at + header, payload, length);
    connection->close_sent = true;
    if (connection->client_blocked ||
        lws_write(connection->wsi, at, header + length, LWS_WRITE_RAW) < 0)
        downstream_abort(connection);
}
