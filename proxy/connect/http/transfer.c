#include "connect/http/transfer.h"

#include <stdlib.h>
#include <string.h>

#define TRANSFERS_MAX          32   /* connections at once; what needs more waits */
#define TRANSFERS_REQUESTS_MAX 24   /* of them for requests, so that answers always find one */
#define RESUMES_MAX            5    /* tries in a row to take up a broken stream */
#define RESUME_FIRST_MS        1000 /* unless the service says */
#define RETRY_MAX_MS           60000
#define EVENT_SLACK_BYTES      4096  /* what an event has beside its data */
#define IDLE_FOR_MS            5000  /* a connection that was idle for longer is not used again */
#define REFUSAL_BYTES_MAX      65536 /* of the body of an error */

/* ---- Idle connections ---- */

static void let_go(struct idle *idle)
{
    if (idle->stream != NULL)
        stream_close(idle->stream, false);
    idle->stream = NULL;
}

/* An answer that nobody asked for. */
// NOLINTNEXTLINE(readability-non-const-parameter): other users of a stream write to the bytes
static void on_idle_received(void *context, char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    let_go(context);
}

static void on_idle_closed(void *context, bool opened)
{
    (void)opened;
    ((struct idle *)context)->stream = NULL;
}

/* Keeps the connection, or closes it where there is no room. */
static void keep(struct transfers *all, struct stream *stream)
{
    struct idle *idle = all->idle;

    while (idle < all->idle + IDLE_MAX && idle->stream != NULL)
        idle++;
    if (idle == all->idle + IDLE_MAX) {
        stream_close(stream, false);
        return;
    }
    *idle = (struct idle){stream, bridge_now_ms(all->bridge)};
    stream_pause(stream, false);
    stream_hand_over(stream, &(struct stream_user){.context = idle,
                                                   .received = on_idle_received,
                                                   .closed = on_idle_closed});
}

/* One that the gate will not have closed; older ones are let go. NULL: none. */
static struct stream *take_idle(struct transfers *all, const struct stream_user *user)
{
    struct stream *taken = NULL;

    for (struct idle *idle = all->idle; idle < all->idle + IDLE_MAX; idle++) {
        if (bridge_now_ms(all->bridge) - idle->since_ms > IDLE_FOR_MS) {
            let_go(idle);
        } else if (taken == NULL && idle->stream != NULL) {
            taken = idle->stream;
            idle->stream = NULL;
            stream_hand_over(taken, user);
        }
    }
    return taken;
}

/* ---- Beginning and end ---- */

static void start_events(struct transfer *transfer)
{
    sse_clear(&transfer->events);
    sse_init(&transfer->events,
             transfer->all->bridge->pass.place.max_answer_bytes + EVENT_SLACK_BYTES);
}

struct transfer *transfer_create(struct transfers *all, enum transfer_kind kind,
                                 struct letter *letter)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (transfer == NULL) {
        letter_destroy(letter);
        return NULL;
    }
    transfer->all = all;
    transfer->kind = kind;
    transfer->letter = letter;
    if (letter != NULL)
        memcpy(transfer->key, letter->key, sizeof(transfer->key));
    buffer_init(&transfer->head, HTTP_HEAD_BYTES_MAX + 1);
    buffer_init(&transfer->text, all->bridge->pass.place.max_answer_bytes);
    start_events(transfer);
    uv_timer_init(&all->bridge->loop, &transfer->timer);
    transfer->timer.data = transfer;
    transfer->next = all->first;
    all->first = transfer;
    return transfer;
}

/* Its connection is kept if it can be used again. */
static void give_back(struct transfer *transfer, bool reusable)
{
    struct stream *stream = transfer->stream;

    transfer->stream = NULL;
    if (stream != NULL && reusable)
        keep(transfer->all, stream);
    else if (stream != NULL)
        stream_close(stream, false);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void transfer_destroy(struct transfer *transfer)
{
    struct transfer **at = &transfer->all->first;

    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    give_back(transfer, false);
    letter_destroy(transfer->letter);
    buffer_wipe(&transfer->head);
    buffer_clear(&transfer->text);
    sse_clear(&transfer->events);
    uv_close((uv_handle_t *)&transfer->timer, on_timer_closed);
}

/* ---- The request ---- */

static void write_headers(struct transfer *transfer, struct buffer *out)
{
    const struct transfers *all = transfer->all;
    const struct bridge *bridge = all->bridge;
    const struct letter *letter = transfer->letter;

    buffer_append_format(out, "Host: %s\r\nAuthorization: Bearer %s\r\n", bridge->pass.place.host,
                         bridge->pass.current.token);
    if (letter != NULL && letter->modern) {
        if (!buffer_failed(&letter->headers))
            buffer_append(out, letter->headers.data, letter->headers.length);
    } else if (letter == NULL || !letter->initialize) {
        if (bridge->replay.version[0] != '\0')
            buffer_append_format(out, "MCP-Protocol-Version: %s\r\n", bridge->replay.version);
        memcpy(transfer->session, all->session, sizeof(transfer->session));
        if (all->session[0] != '\0')
            buffer_append_format(out, "Mcp-Session-Id: %s\r\n", all->session);
    }
}

static const char *method_of(const struct transfer *transfer)
{
    if (transfer->kind == TRANSFER_DELETE)
        return "DELETE";
    return transfer->resuming || transfer->kind == TRANSFER_LISTEN ? "GET" : "POST";
}

static void send_request(void *context)
{
    struct transfer *transfer = context;
    const struct letter *letter = transfer->resuming ? NULL : transfer->letter;
    struct buffer *head = &transfer->head;

    transfer->sent = true;
    buffer_reset(head);
    buffer_append_format(head, "%s %s HTTP/1.1\r\n", method_of(transfer),
                         transfer->all->bridge->pass.place.path);
    write_headers(transfer, head);
    if (letter != NULL)
        buffer_append_format(head,
                             "Accept: application/json, text/event-stream\r\n"
                             "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                             letter->length);
    else if (transfer->kind != TRANSFER_DELETE)
        buffer_append_text(head, "Accept: text/event-stream\r\n");
    if (letter == NULL && transfer->last_id[0] != '\0')
        buffer_append_format(head, "Last-Event-ID: %s\r\n", transfer->last_id);
    buffer_append_text(head, "\r\n");
    if (buffer_failed(head)) {
        transfer->all->user->ended(transfer, "the request's headers are too large");
        return;
    }
    stream_send(transfer->stream, head->data, head->length);
    if (letter != NULL)
        stream_send(transfer->stream, letter->bytes, letter->length);
    buffer_wipe(head);
    buffer_init(head, HTTP_HEAD_BYTES_MAX + 1); /* for the answer's */
}

/* ---- Its connection ---- */

static void transfer_lost(struct transfer *transfer);
static void receive(void *context, char *bytes, size_t length);

static void on_closed(void *context, bool opened)
{
    struct transfer *transfer = context;

    transfer->stream = NULL;
    if (opened)
        transfer_lost(transfer);
    else
        transfer->all->user->ended(transfer, NULL);
}

void transfer_begin(struct transfer *transfer)
{
    struct transfers *all = transfer->all;
    const struct stream_user user = {
        .context = transfer, .opened = send_request, .received = receive, .closed = on_closed};
    bool opened;

    transfer->stream = take_idle(all, &user);
    opened = transfer->stream != NULL;
    if (!opened && bridge_dial(all->bridge, &user, &transfer->stream) != OK) {
        all->user->ended(transfer, NULL);
        return;
    }
    stream_pause(transfer->stream, all->bridge->output_paused);
    if (opened)
        send_request(transfer);
}

static void on_again(uv_timer_t *timer)
{
    transfer_begin(timer->data);
}

void transfer_begin_again(struct transfer *transfer)
{
    give_back(transfer, false);
    transfer->sent = transfer->has_head = transfer->ended = false;
    buffer_reset(&transfer->head);
    start_events(transfer);
    uv_timer_start(&transfer->timer, on_again,
                   transfer->retry_ms != 0 ? transfer->retry_ms : RESUME_FIRST_MS, 0);
}

/* ---- The answer ---- */

/* Whether the rest of a stream can be asked for: the service numbers its events. */
static bool may_resume(const struct transfer *transfer)
{
    const struct bridge *bridge = transfer->all->bridge;
    const struct letter *letter = transfer->letter;

    return transfer->kind == TRANSFER_POST && transfer->use == USE_EVENTS &&
           transfer->last_id[0] != '\0' && transfer->key[0] != '\0' && !letter->modern &&
           transfer->resumes < RESUMES_MAX && bridge->stage != STAGE_GOODBYE &&
           (letter->replay || ledger_find(&bridge->ledger, transfer->key) != NULL);
}

/* A message that is all of the answer; that the gate could not ask the service is none yet. */
static void take_message(struct transfer *transfer)
{
    struct bridge *bridge = transfer->all->bridge;
    struct span text = {transfer->text.data, transfer->text.length};
    char reason[RPC_REASON_SIZE];

    if (rpc_problem_reason(bridge->scan, text, reason) &&
        strcmp(reason, "upstream_unreachable") == 0) {
        transfer->use = USE_REFUSAL;
        return;
    }
    transfer->all->user->accepted(transfer);
    transfer->answered =
        bridge_message(bridge, transfer->text.data, transfer->text.length, transfer->key);
}

/* Everything has come, or nothing more will. */
static void finish(struct transfer *transfer, const char *why)
{
    if (transfer->use == USE_MESSAGE && why == NULL && transfer->text.length > 0)
        take_message(transfer);
    if (transfer->answered || !may_resume(transfer)) {
        transfer->all->user->ended(transfer, why);
        return;
    }
    transfer->resumes++;
    transfer->resuming = true;
    transfer_begin_again(transfer);
}

static void transfer_lost(struct transfer *transfer)
{
    bool whole = transfer->has_head && transfer->body.kind == HTTP_BODY_UNTIL_CLOSE;

    finish(transfer,
           whole || transfer->ended ? NULL : "the connection was lost before the answer came");
}

static void on_event(struct transfer *transfer, const struct sse_event *event)
{
    if (event->has_retry && event->retry_ms <= RETRY_MAX_MS)
        transfer->retry_ms = event->retry_ms + 1; /* 0 stands for: not said */
    if (event->has_id && event->id.length < EVENT_ID_SIZE &&
        memchr(event->id.data, '\r', event->id.length) == NULL) {
        memcpy(transfer->last_id, event->id.data, event->id.length);
        transfer->last_id[event->id.length] = '\0';
    }
    if (!event->has_data || event->data.length == 0 ||
        (event->has_type && !span_equals(event->type, "message")))
        return;
    transfer->resumes = 0;
    if (bridge_message(transfer->all->bridge, (char *)event->data.data, event->data.length,
                       transfer->key))
        transfer->all->user->answered(transfer);
}

static bool on_events(struct transfer *transfer, struct span piece)
{
    while (piece.length > 0) {
        enum sse_progress progress;
        struct sse_event event;
        size_t taken = 0;

        progress = sse_next(&transfer->events, piece.data, piece.length, &taken, &event);
        if (progress != SSE_EVENT && progress != SSE_MORE)
            return false;
        if (progress == SSE_EVENT && !event.comment)
            on_event(transfer, &event);
        piece.data += taken;
        piece.length -= taken;
    }
    return true;
}

static bool on_piece(struct transfer *transfer, struct span piece)
{
    if (piece.length == 0)
        return true;
    switch (transfer->use) {
    case USE_NOTHING:
        return true;
    case USE_EVENTS:
        return on_events(transfer, piece);
    case USE_REFUSAL: /* what is too long is cut off, and then is no document */
        if (transfer->text.length + piece.length <= REFUSAL_BYTES_MAX)
            buffer_append(&transfer->text, piece.data, piece.length);
        return true;
    case USE_MESSAGE:
        buffer_append(&transfer->text, piece.data, piece.length);
        return !buffer_failed(&transfer->text);
    }
    return false;
}

/* Visible ASCII, as the specification says. */
static void note_session(struct transfer *transfer, const struct http_response *response)
{
    char *session = transfer->all->session;
    struct span id;

    if (transfer->letter == NULL || !transfer->letter->initialize || transfer->letter->modern ||
        transfer->resuming || transfer->status / 100 != 2)
        return;
    session[0] = '\0';
    if (!reason_allows(http_fields_single(&response->fields, "mcp-session-id", &id)) ||
        id.data == NULL || id.length >= MCP_SESSION_SIZE)
        return;
    for (size_t i = 0; i < id.length; i++) {
        if (id.data[i] < 0x21 || id.data[i] > 0x7e)
            return;
    }
    memcpy(session, id.data, id.length);
    session[id.length] = '\0';
}

static enum transfer_use use_of(const struct transfer *transfer,
                                const struct http_response *response)
{
    struct span type;

    if (response->status / 100 != 2)
        return USE_REFUSAL;
    if (transfer->kind == TRANSFER_DELETE || response->status != 200 ||
        !reason_allows(http_fields_single(&response->fields, "content-type", &type)))
        return USE_NOTHING;
    if (http_media_type_is(type, "text/event-stream"))
        return USE_EVENTS;
    return http_media_type_is(type, "application/json") && transfer->kind == TRANSFER_POST
               ? USE_MESSAGE
               : USE_NOTHING;
}

/* *used of the bytes belonged to the head; false if they are no answer. */
static bool read_head(struct transfer *transfer, const char *bytes, size_t length, size_t *used)
{
    size_t before = transfer->head.length;
    size_t part = HTTP_HEAD_BYTES_MAX - before < length ? HTTP_HEAD_BYTES_MAX - before : length;
    struct http_response response;

    buffer_append(&transfer->head, bytes, part);
    *used = part;
    switch (http_response_parse(transfer->head.data, transfer->head.length, &response)) {
    case HTTP_FAULT:
        return false;
    case HTTP_MORE:
        return transfer->head.length < HTTP_HEAD_BYTES_MAX;
    case HTTP_COMPLETE:
        break;
    }
    *used = response.head_bytes - before;
    transfer->status = response.status;
    if (response.status < 200) { /* interim: the real one follows */
        buffer_reset(&transfer->head);
        return response.status != 101;
    }
    if (!reason_allows(
            http_body_of_response(&response, span_of(method_of(transfer)), &transfer->body)))
        return false;
    transfer->has_head = true;
    transfer->use = use_of(transfer, &response);
    note_session(transfer, &response);
    return true;
}

/* The answer is whole: the connection goes back before what it says is acted upon. */
static void complete(struct transfer *transfer, bool clean)
{
    transfer->ended = true;
    give_back(transfer, clean && !transfer->body.closes);
    finish(transfer, NULL);
}

static void receive(void *context, char *bytes, size_t length)
{
    struct transfer *transfer = context;

    while (length > 0 && transfer->stream != NULL) {
        enum http_progress progress = HTTP_MORE;
        struct span piece = {NULL, 0};
        size_t used = 0;

        if (!transfer->has_head) {
            if (!read_head(transfer, bytes, length, &used)) {
                finish(transfer, "the answer is not one");
                return;
            }
            if (transfer->has_head && transfer->status / 100 == 2 && transfer->use != USE_MESSAGE)
                transfer->all->user->accepted(transfer);
            if (transfer->has_head && transfer->body.done)
                progress = HTTP_COMPLETE;
        } else {
            progress = http_body_next(&transfer->body, bytes, length, &used, &piece);
        }
        if (progress == HTTP_FAULT || !on_piece(transfer, piece)) {
            finish(transfer, "the answer is malformed or too large");
            return;
        }
        bytes += used;
        length -= used;
        if (progress == HTTP_COMPLETE) {
            complete(transfer, length == 0);
            return;
        }
    }
}

/* ---- All of them ---- */

bool transfers_have_room(const struct transfers *all, bool request)
{
    size_t busy = 0;

    for (const struct transfer *transfer = all->first; transfer != NULL; transfer = transfer->next)
        busy += transfer->stream != NULL;
    return busy < (request ? TRANSFERS_REQUESTS_MAX : TRANSFERS_MAX);
}

void transfers_pause(struct transfers *all, bool pause)
{
    for (struct transfer *transfer = all->first; transfer != NULL; transfer = transfer->next) {
        if (transfer->stream != NULL)
            stream_pause(transfer->stream, pause);
    }
}

void transfers_clear(struct transfers *all)
{
    while (all->first != NULL)
        transfer_destroy(all->first);
    for (size_t i = 0; i < IDLE_MAX; i++)
        let_go(&all->idle[i]);
}
