/* A WebSocket surface: one connection, made anew when it is lost. */
#include "base/log.h"
#include "base/secret.h"
#include "connect/bridge/bridge.h"
#include "wire/http_response.h"
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
    struct connect *connect;
    enum websocket_state state;
    struct stream *stream; /* NULL: none */
    struct letters outbox;
    struct backoff backoff;
    uv_timer_t retry;
    unsigned wants;     /* of the control socket, before the next try */
    bool waiting;       /* for what is wanted */
    struct buffer head; /* the answer's; of a denial also its body */
    char accept[WS_ACCEPT_SIZE];
    struct ws_reader reader;
};

static struct websocket *of(const struct connect *connect)
{
    return connect->transport_state;
}

static void send_frame(struct websocket *ws, enum ws_opcode opcode, const char *bytes,
                       size_t length)
{
    unsigned char mask[MASK_BYTES];
    unsigned char *frame = malloc(WS_HEADER_MAX + length);
    size_t header;

    if (frame == NULL || secret_random(mask, sizeof(mask)) != OK) {
        free(frame);
        connect_give_up(ws->connect, EX_OSERR, "out of memory");
        return;
    }
    header = ws_header_write(frame, opcode, length, mask);
    ws_mask(frame + header, (const unsigned char *)bytes, length, mask);
    stream_send(ws->stream, (const char *)frame, header + length);
    free(frame);
}

static void throttle(struct websocket *ws)
{
    size_t unsent = ws->stream != NULL ? stream_unsent(ws->stream) : 0;

    stdio_pause_input(ws->connect, unsent + ws->outbox.bytes > INPUT_PAUSE);
}

static void flush(struct websocket *ws)
{
    struct letter *letter;

    while (ws->state == WEBSOCKET_OPEN && (letter = letters_take(&ws->outbox)) != NULL) {
        send_frame(ws, WS_TEXT, letter->bytes, letter->length);
        letter_destroy(letter);
    }
    throttle(ws);
}

static bool is_waiting(const struct websocket *ws, const char *key)
{
    for (const struct letter *letter = ws->outbox.first; letter != NULL; letter = letter->next) {
        if (strcmp(letter->key, key) == 0)
            return true;
    }
    return false;
}

/* What was sent may have been carried out or not: only the client can know what to do. */
static void fail_sent(struct websocket *ws)
{
    struct ledger *ledger = &ws->connect->ledger;
    size_t i = 0;

    while (i < ledger->count) {
        if (is_waiting(ws, ledger->entries[i].key))
            i++;
        else
            connect_fail(ws->connect, ledger->entries[i].key, RPC_LOST,
                         "the connection was lost before the answer came", NULL);
    }
}

static void on_retry(uv_timer_t *timer)
{
    struct websocket *ws = timer->data;

    letters_expire(ws->connect, &ws->outbox);
    throttle(ws);
    ws->waiting = true;
    pass_want(ws->connect, WANT_PLACE | ws->wants);
    ws->wants = 0;
}

static void go_down(struct websocket *ws)
{
    if (ws->stream != NULL)
        stream_close(ws->stream, false);
    ws->stream = NULL;
    ws->state = WEBSOCKET_DOWN;
    fail_sent(ws);
    if (ws->connect->stage == STAGE_GOODBYE) {
        connect_finished(ws->connect);
        return;
    }
    uv_timer_start(&ws->retry, on_retry, backoff_next_ms(&ws->backoff, connect_random()), 0);
    connect_settle(ws->connect);
}

static void denied(struct websocket *ws, const struct http_response *response)
{
    struct span body = {ws->head.data + response->head_bytes,
                        ws->head.length - response->head_bytes};
    char reason[RPC_REASON_SIZE];

    if (!rpc_problem_reason(ws->connect->scan, body, reason))
        snprintf(reason, sizeof(reason), "HTTP status %u", response->status);
    ws->wants = pass_remedy(span_of(reason));
    if (ws->wants == 0 && response->status < 500 && response->status != 429) {
        connect_give_up(ws->connect, EX_NOPERM, reason);
        return;
    }
    log_warning("the gate denies the connection (%s); trying again", reason);
    go_down(ws);
}

static void on_opened(void *context)
{
    struct websocket *ws = context;
    const struct connect *connect = ws->connect;
    unsigned char random[16];
    char key[WS_KEY_SIZE];
    struct buffer head;

    if (secret_random(random, sizeof(random)) != OK) {
        go_down(ws);
        return;
    }
    text_base64(random, sizeof(random), key);
    ws_accept_of(key, ws->accept);
    buffer_init(&head, HTTP_HEAD_BYTES_MAX);
    buffer_append_format(&head,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: %s\r\n",
                         connect->place.path, connect->place.host, key);
    if (connect->place.subprotocol[0] != '\0')
        buffer_append_format(&head, "Sec-WebSocket-Protocol: %s\r\n", connect->place.subprotocol);
    buffer_append_format(&head, "Authorization: Bearer %s\r\n\r\n", connect->pass.token);
    stream_send(ws->stream, head.data, head.length);
    buffer_wipe(&head);
}

static bool is_good(const struct websocket *ws, const struct http_response *response)
{
    struct span accept, subprotocol;

    return response->status == 101 && http_response_has_token(response, "upgrade", "websocket") &&
           reason_allows(http_response_single(response, "sec-websocket-accept", &accept)) &&
           accept.data != NULL && span_equals(accept, ws->accept) &&
           reason_allows(http_response_single(response, "sec-websocket-protocol", &subprotocol)) &&
           (subprotocol.data == NULL || span_equals(subprotocol, ws->connect->place.subprotocol));
}

static void on_frames(struct websocket *ws, char *bytes, size_t length);

static void open_up(struct websocket *ws)
{
    /* Without a version there is nothing to repeat: its initialize has no answer yet. */
    struct letter *letter =
        ws->connect->version[0] != '\0' ? letter_replay_initialize(ws->connect) : NULL;

    ws_reader_clear(&ws->reader);
    ws_reader_init(&ws->reader, WS_FROM_SERVER, ws->connect->place.max_message_bytes);
    if (letter == NULL) {
        ws->state = WEBSOCKET_OPEN;
        flush(ws);
        return;
    }
    ws->state = WEBSOCKET_REPLAYING;
    send_frame(ws, WS_TEXT, letter->bytes, letter->length);
    letter_destroy(letter);
}

static void on_head(struct websocket *ws, const char *bytes, size_t length)
{
    struct http_response response;
    enum reason reason;
    struct buffer rest;

    buffer_append(&ws->head, bytes, length);
    if (buffer_failed(&ws->head)) {
        go_down(ws);
        return;
    }
    switch (http_response_parse(ws->head.data, ws->head.length, &response, &reason)) {
    case HTTP_MORE:
        return;
    case HTTP_FAULT:
        connect_give_up(ws->connect, EX_PROTOCOL, "what answers is not Sidelock");
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
                 frame->length > 2 ? (int)frame->length - 2 : 0, (const char *)frame->data + 2);
        send_frame(ws, WS_CLOSE, (const char *)frame->data, frame->length >= 2 ? 2 : 0);
        stream_close(ws->stream, true);
        ws->stream = NULL;
    }
    go_down(ws);
}

static void on_fault(struct websocket *ws)
{
    log_warning("the connection was dropped: not a WebSocket message, or too large");
    go_down(ws);
}

/* MCP's messages are text. */
static void on_whole(struct websocket *ws, const struct ws_whole *whole)
{
    switch (whole->opcode) {
    case WS_TEXT:
        ws->backoff = (struct backoff){0};
        connect_message(ws->connect, (char *)whole->data, whole->length, NULL);
        return;
    case WS_PING:
        send_frame(ws, WS_PONG, (const char *)whole->data, whole->length);
        return;
    case WS_CLOSE:
        on_close_frame(ws, whole);
        return;
    case WS_PONG:
        return;
    default:
        on_fault(ws);
        return;
    }
}

static void on_frames(struct websocket *ws, char *bytes, size_t length)
{
    while (length > 0 && ws->stream != NULL) {
        struct ws_whole whole;
        size_t taken;

        switch (ws_reader_next(&ws->reader, (unsigned char *)bytes, length, &taken, &whole)) {
        case WS_WHOLE:
            on_whole(ws, &whole);
            break;
        case WS_TOO_BIG:
        case WS_FAULT:
            on_fault(ws);
            return;
        case WS_MORE:
            break;
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
    enum reason reason;

    (void)opened;
    ws->stream = NULL;
    if (ws->state == WEBSOCKET_DENIED &&
        http_response_parse(ws->head.data, ws->head.length, &response, &reason) == HTTP_COMPLETE)
        denied(ws, &response);
    else
        go_down(ws);
}

static void on_taken(void *context)
{
    struct websocket *ws = context;

    throttle(ws);
    connect_settle(ws->connect);
}

static void ask(struct websocket *ws)
{
    const struct stream_user user = {.context = ws,
                                     .opened = on_opened,
                                     .received = on_received,
                                     .closed = on_closed,
                                     .taken = on_taken};

    buffer_clear(&ws->head);
    ws->head.failed = false;
    ws->state = WEBSOCKET_ASKING;
    if (connect_dial(ws->connect, &user, &ws->stream) != OK)
        go_down(ws);
}

static enum error start(struct connect *connect)
{
    struct websocket *ws = calloc(1, sizeof(*ws));

    if (ws == NULL)
        return ERROR_MEMORY;
    connect->transport_state = ws;
    ws->connect = connect;
    letters_init(&ws->outbox);
    buffer_init(&ws->head, DENIAL_BYTES_MAX);
    ws_reader_init(&ws->reader, WS_FROM_SERVER, connect->place.max_message_bytes);
    uv_timer_init(&connect->loop, &ws->retry);
    ws->retry.data = ws;
    ask(ws);
    return OK;
}

static void deliver(struct connect *connect, struct letter *letter)
{
    letters_append(&of(connect)->outbox, letter);
    flush(of(connect));
}

static bool cancel(struct connect *connect, const struct ledger_entry *entry)
{
    (void)connect;
    (void)entry;
    return false;
}

static void refreshed(struct connect *connect, bool good)
{
    struct websocket *ws = of(connect);

    letters_expire(connect, &ws->outbox);
    if (!good || !ws->waiting)
        return;
    ws->waiting = false;
    if (ws->state == WEBSOCKET_DOWN && connect->stage != STAGE_GOODBYE)
        ask(ws);
}

static void replayed(struct connect *connect, bool good)
{
    struct websocket *ws = of(connect);
    struct letter *letter;

    if (ws->state != WEBSOCKET_REPLAYING)
        return;
    if (!good) {
        log_warning("the service does not take up where the one before left off");
        go_down(ws);
        return;
    }
    letter = letter_replay_initialized(connect);
    if (letter != NULL)
        send_frame(ws, WS_TEXT, letter->bytes, letter->length);
    letter_destroy(letter);
    ws->state = WEBSOCKET_OPEN;
    flush(ws);
}

static void initialized(struct connect *connect)
{
    (void)connect;
}

static bool idle(const struct connect *connect)
{
    const struct websocket *ws = of(connect);

    return ws->outbox.first == NULL && (ws->stream == NULL || stream_unsent(ws->stream) == 0);
}

static void pause_reading(struct connect *connect, bool pause)
{
    if (of(connect)->stream != NULL)
        stream_pause(of(connect)->stream, pause);
}

static void finish(struct connect *connect)
{
    static const char normal[] = {1000 >> 8, (char)(1000 & 0xff)};
    struct websocket *ws = of(connect);

    if (ws->state != WEBSOCKET_OPEN && ws->state != WEBSOCKET_REPLAYING) {
        connect_finished(connect);
        return;
    }
    ws->state = WEBSOCKET_CLOSING;
    send_frame(ws, WS_CLOSE, normal, sizeof(normal));
}

static void stop(struct connect *connect)
{
    struct websocket *ws = of(connect);

    if (ws == NULL)
        return;
    if (ws->stream != NULL)
        stream_close(ws->stream, false);
    if (!uv_is_closing((uv_handle_t *)&ws->retry))
        uv_close((uv_handle_t *)&ws->retry, NULL);
    uv_run(&connect->loop, UV_RUN_NOWAIT);
    letters_clear(&ws->outbox);
    buffer_clear(&ws->head);
    ws_reader_clear(&ws->reader);
    free(ws);
    connect->transport_state = NULL;
}

const struct transport websocket_transport = {
    .start = start,
    .deliver = deliver,
    .cancel = cancel,
    .refreshed = refreshed,
    .replayed = replayed,
    .initialized = initialized,
    .idle = idle,
    .pause = pause_reading,
    .finish = finish,
    .stop = stop,
};
