/* A WebSocket surface: one connection, made anew when it is lost. */
#include "base/log.h"
#include "connect/bridge/bridge.h"
#include "wire/http_head.h"
#include "wire/ws_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define DENIAL_BYTES_MAX 65536
#define MASK_BYTES       4

enum websocket_state {
    WEBSOCKET_DOWN = 0,
    WEBSOCKET_ASKING,    /* connecting, then waiting for the 101 */
    WEBSOCKET_DENIED,    /* reading why not */
    WEBSOCKET_REPLAYING, /* the service is told what the client told the one before */
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSING,
};

struct websocket {
    struct bridge *bridge;
    enum websocket_state state;
    struct stream *stream; /* NULL: none */
    struct buffer head;    /* the answer's; of a denial also its body */
    char accept[WS_ACCEPT_SIZE];
    struct ws_reader reader;
};

static struct websocket *of(const struct bridge *bridge)
{
    return bridge->transport_state;
}

static void send_frame(struct websocket *ws, enum ws_opcode opcode, const char *bytes,
                       size_t length)
{
    unsigned char mask[MASK_BYTES];
    unsigned char *frame = malloc(WS_HEADER_MAX + length);
    size_t header;

    if (frame == NULL || secret_random(mask, sizeof(mask)) != OK) {
        free(frame);
        bridge_give_up(ws->bridge, EX_OSERR, "out of memory");
        return;
    }
    header = ws_header_write(frame, opcode, length, mask);
    ws_mask(frame + header, (const unsigned char *)bytes, length, mask);
    stream_send(ws->stream, (const char *)frame, header + length);
    free(frame);
}

static void flush(struct bridge *bridge)
{
    struct websocket *ws = of(bridge);
    struct letter *letter;

    while (ws->state == WEBSOCKET_OPEN && (letter = letters_take(&bridge->queue)) != NULL) {
        send_frame(ws, WS_TEXT, letter->bytes, letter->length);
        letter_destroy(letter);
    }
    bridge_settle(bridge);
}

/* What was sent may have been carried out or not: only the client can know what to do. */
static void fail_sent(struct bridge *bridge)
{
    const struct ledger *ledger = &bridge->ledger;
    size_t i = 0;

    while (i < ledger->count) {
        if (letters_have(&bridge->queue, ledger->entries[i].key))
            i++;
        else
            bridge_fail(bridge, ledger->entries[i].key, RPC_LOST,
                        "the connection was lost before the answer came", RPC_CONNECTION_LOST);
    }
}

static void go_down(struct websocket *ws, unsigned wants)
{
    if (ws->stream != NULL)
        stream_close(ws->stream, false);
    ws->stream = NULL;
    ws->state = WEBSOCKET_DOWN;
    fail_sent(ws->bridge);
    if (ws->bridge->stage == STAGE_GOODBYE)
        bridge_finished(ws->bridge);
    else
        bridge_go_down(ws->bridge, wants);
    bridge_settle(ws->bridge);
}

static void denied(struct websocket *ws, const struct http_response *response)
{
    struct span body = {ws->head.data + response->head_bytes,
                        ws->head.length - response->head_bytes};
    char reason[RPC_REASON_SIZE];
    unsigned wants;

    if (!rpc_problem_reason(ws->bridge->scan, body, reason))
        snprintf(reason, sizeof(reason), "HTTP status %u", response->status);
    wants = pass_remedy(span_of(reason));
    if (wants == 0 && response->status < 500 && response->status != 429) {
        bridge_give_up(ws->bridge, EX_NOPERM, reason);
        return;
    }
    log_warning("the gate denies the connection (%s); trying again", reason);
    go_down(ws, wants);
}

static void on_opened(void *context)
{
    struct websocket *ws = context;
    const struct bridge *bridge = ws->bridge;
    const struct connect_place *place = &bridge->pass.place;
    unsigned char random[16];
    char key[WS_KEY_SIZE];
    struct buffer head;

    if (secret_random(random, sizeof(random)) != OK) {
        go_down(ws, 0);
        return;
    }
    text_base64(random, sizeof(random), key);
    ws_accept_of(key, ws->accept);
    buffer_init(&head, HTTP_HEAD_BYTES_MAX);
    buffer_append_format(&head,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: %s\r\n",
                         place->path, place->host, key);
    if (place->subprotocol[0] != '\0')
        buffer_append_format(&head, "Sec-WebSocket-Protocol: %s\r\n", place->subprotocol);
    buffer_append_format(&head, "Authorization: Bearer %s\r\n\r\n", bridge->pass.current.token);
    stream_send(ws->stream, head.data, head.length);
    buffer_wipe(&head);
}

static bool is_good(const struct websocket *ws, const struct http_response *response)
{
    struct span accept, subprotocol;

    return response->status == 101 &&
           http_fields_have_token(&response->fields, "upgrade", "websocket") &&
           reason_allows(http_fields_single(&response->fields, "sec-websocket-accept", &accept)) &&
           accept.data != NULL && span_equals(accept, ws->accept) &&
           reason_allows(
               http_fields_single(&response->fields, "sec-websocket-protocol", &subprotocol)) &&
           (subprotocol.data == NULL ||
            span_equals(subprotocol, ws->bridge->pass.place.subprotocol));
}

static void on_frames(struct websocket *ws, char *bytes, size_t length);

static void open_up(struct websocket *ws)
{
    struct bridge *bridge = ws->bridge;
    /* Without a version there is nothing to repeat: its initialize has no answer yet. */
    struct letter *letter = bridge->replay.version[0] != '\0'
                                ? replay_initialize(&bridge->replay, bridge_now_ms(bridge))
                                : NULL;

    ws_reader_clear(&ws->reader);
    ws_reader_init(&ws->reader, WS_FROM_SERVER, ws->bridge->pass.place.max_answer_bytes);
    if (letter == NULL) {
        ws->state = WEBSOCKET_OPEN;
        flush(bridge);
        return;
    }
    ws->state = WEBSOCKET_REPLAYING;
    send_frame(ws, WS_TEXT, letter->bytes, letter->length);
    letter_destroy(letter);
}

static void on_head(struct websocket *ws, const char *bytes, size_t length)
{
    struct http_response response;
    struct buffer rest;

    buffer_append(&ws->head, bytes, length);
    if (buffer_failed(&ws->head)) {
        go_down(ws, 0);
        return;
    }
    switch (http_response_parse(ws->head.data, ws->head.length, &response)) {
    case HTTP_MORE:
        return;
    case HTTP_FAULT:
        bridge_give_up(ws->bridge, EX_PROTOCOL, "what answers is not Sidelock");
        return;
    case HTTP_COMPLETE:
        break;
    }
    if (!is_good(ws, &response)) {
        ws->state = WEBSOCKET_DENIED; /* the gate closes after the body */
        return;
    }
    rest = ws->head; /* bytes after the head, kept while they are read */
    buffer_init(&ws->head, DENIAL_BYTES_MAX);
    open_up(ws);
    if (rest.length > response.head_bytes)
        on_frames(ws, rest.data + response.head_bytes, rest.length - response.head_bytes);
    buffer_clear(&rest);
}

static void on_close_frame(struct websocket *ws, const struct ws_whole *frame)
{
    if (ws->state != WEBSOCKET_CLOSING) {
        log_info("the connection was closed: %u %.*s",
                 frame->length >= 2 ? (unsigned)frame->data[0] << 8 | frame->data[1] : 1005,
                 frame->length > 2 ? (int)frame->length - 2 : 0,
                 frame->length > 2 ? (const char *)frame->data + 2 : "");
        send_frame(ws, WS_CLOSE, (char *)frame->data, frame->length >= 2 ? 2 : 0);
        stream_close(ws->stream, true);
        ws->stream = NULL;
    }
    go_down(ws, 0);
}

/* A message or a control frame; false if it is none that MCP has. */
static bool on_whole(struct websocket *ws, const struct ws_whole *whole)
{
    if (whole->opcode == WS_TEXT) {
        ws->bridge->backoff = (struct backoff){0};
        (void)bridge_message(ws->bridge, (char *)whole->data, whole->length, "");
    } else if (whole->opcode == WS_PING) {
        send_frame(ws, WS_PONG, (char *)whole->data, whole->length);
    } else if (whole->opcode == WS_CLOSE) {
        on_close_frame(ws, whole);
    }
    return whole->opcode != WS_BINARY;
}

static void on_frames(struct websocket *ws, char *bytes, size_t length)
{
    while (length > 0 && ws->stream != NULL) {
        enum ws_progress progress;
        struct ws_whole whole;
        size_t taken;

        progress = ws_reader_next(&ws->reader, (unsigned char *)bytes, length, &taken, &whole);
        if (progress < WS_MORE || (progress == WS_WHOLE && !on_whole(ws, &whole))) {
            log_warning("the connection was dropped: not a WebSocket message, or too large");
            go_down(ws, 0);
            return;
        }
        bytes += taken;
        length -= taken;
    }
}

static void on_received(void *context, char *bytes, size_t length)
{
    struct websocket *ws = context;

    if (ws->state == WEBSOCKET_ASKING)
        on_head(ws, bytes, length);
    else if (ws->state == WEBSOCKET_DENIED)
        buffer_append(&ws->head, bytes, length); /* what is too long is cut off */
    else
        on_frames(ws, bytes, length);
}

static void on_closed(void *context, bool opened)
{
    struct websocket *ws = context;
    struct http_response response;

    (void)opened;
    ws->stream = NULL;
    if (ws->state == WEBSOCKET_DENIED &&
        http_response_parse(ws->head.data, ws->head.length, &response) == HTTP_COMPLETE)
        denied(ws, &response);
    else
        go_down(ws, 0);
}

static void on_taken(void *context)
{
    bridge_settle(((struct websocket *)context)->bridge);
}

static void ask(struct bridge *bridge)
{
    struct websocket *ws = of(bridge);
    const struct stream_user user = {.context = ws,
                                     .opened = on_opened,
                                     .received = on_received,
                                     .closed = on_closed,
                                     .taken = on_taken};

    buffer_clear(&ws->head);
    ws->state = WEBSOCKET_ASKING;
    if (bridge_dial(bridge, &user, &ws->stream) != OK)
        go_down(ws, 0);
}

static void start(struct bridge *bridge)
{
    struct websocket *ws = of(bridge);

    ws->bridge = bridge;
    buffer_init(&ws->head, DENIAL_BYTES_MAX);
    ws_reader_init(&ws->reader, WS_FROM_SERVER, bridge->pass.place.max_answer_bytes);
    ask(bridge);
}

static void replayed(struct bridge *bridge, bool good)
{
    struct websocket *ws = of(bridge);
    struct letter *letter;

    if (ws->state != WEBSOCKET_REPLAYING)
        return;
    if (!good) {
        log_warning("the service does not take up where the one before left off");
        go_down(ws, 0);
        return;
    }
    letter = replay_initialized(&bridge->replay, bridge_now_ms(bridge));
    if (letter != NULL)
        send_frame(ws, WS_TEXT, letter->bytes, letter->length);
    letter_destroy(letter);
    ws->state = WEBSOCKET_OPEN;
    flush(bridge);
}

static size_t unsent(const struct bridge *bridge)
{
    const struct websocket *ws = of(bridge);

    return ws->stream != NULL ? stream_unsent(ws->stream) : 0;
}

static void pause_reading(struct bridge *bridge, bool pause)
{
    if (of(bridge)->stream != NULL)
        stream_pause(of(bridge)->stream, pause);
}

static void finish(struct bridge *bridge)
{
    static const char normal[] = {1000 >> 8, (char)(1000 & 0xff)};
    struct websocket *ws = of(bridge);

    if (ws->state != WEBSOCKET_OPEN && ws->state != WEBSOCKET_REPLAYING) {
        bridge_finished(bridge);
        return;
    }
    ws->state = WEBSOCKET_CLOSING;
    send_frame(ws, WS_CLOSE, normal, sizeof(normal));
}

static void stop(struct bridge *bridge)
{
    struct websocket *ws = of(bridge);

    if (ws->stream != NULL)
        stream_close(ws->stream, false);
    buffer_clear(&ws->head);
    ws_reader_clear(&ws->reader);
}

const struct transport websocket_transport = {
    .state_bytes = sizeof(struct websocket),
    .start = start,
    .flush = flush,
    .come_back = ask,
    .replayed = replayed,
    .unsent = unsent,
    .pause = pause_reading,
    .finish = finish,
    .stop = stop,
};
