#include "connect/http/transfer.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct transfer *transfer_create(struct streamable *http, enum transfer_kind kind,
                                 struct letter *letter)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (transfer == NULL) {
        letter_destroy(letter);
        return NULL;
    }
    transfer->owner = http;
    transfer->kind = kind;
    transfer->letter = letter;
    if (letter != NULL)
        memcpy(transfer->key, letter->key, sizeof(transfer->key));
    buffer_init(&transfer->head, HTTP_HEAD_BYTES_MAX + 1);
    buffer_init(&transfer->text, http->connect->place.max_message_bytes);
    sse_init(&transfer->events, http->connect->place.max_message_bytes + EVENT_SLACK_BYTES);
    uv_timer_init(&http->connect->loop, &transfer->timer);
    transfer->timer.data = transfer;
    transfer->next = http->transfers;
    http->transfers = transfer;
    return transfer;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void transfer_destroy(struct transfer *transfer)
{
    struct transfer **at = &transfer->owner->transfers;

    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    if (transfer->owner->barrier == transfer)
        transfer->owner->barrier = NULL;
    if (transfer->link != NULL)
        links_give_back(transfer->link, false);
    letter_destroy(transfer->letter);
    buffer_wipe(&transfer->head);
    buffer_clear(&transfer->text);
    sse_clear(&transfer->events);
    uv_close((uv_handle_t *)&transfer->timer, on_timer_closed);
}

static void write_headers(struct transfer *transfer, struct buffer *out)
{
    const struct streamable *http = transfer->owner;
    const struct connect *connect = http->connect;
    const struct letter *letter = transfer->letter;

    buffer_append_format(out, "Host: %s\r\nAuthorization: Bearer %s\r\n", connect->place.host,
                         connect->pass.token);
    if (letter != NULL && letter->modern) {
        buffer_append_text(out, letter->headers != NULL ? letter->headers : "");
    } else if (letter == NULL || !letter->initialize) {
        if (connect->version[0] != '\0')
            buffer_append_format(out, "MCP-Protocol-Version: %s\r\n", connect->version);
        memcpy(transfer->session, http->session, sizeof(transfer->session));
        if (http->session[0] != '\0')
            buffer_append_format(out, "Mcp-Session-Id: %s\r\n", http->session);
    }
}

void transfer_send(struct transfer *transfer)
{
    static const char *const methods[] = {
        [TRANSFER_POST] = "POST", [TRANSFER_LISTEN] = "GET", [TRANSFER_DELETE] = "DELETE"};
    const struct letter *letter = transfer->resuming ? NULL : transfer->letter;
    struct buffer *head = &transfer->head;

    buffer_reset(head);
    buffer_append_format(head, "%s %s HTTP/1.1\r\n",
                         transfer->resuming ? "GET" : methods[transfer->kind],
                         transfer->owner->connect->place.path);
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
        streamable_done(transfer, "the request's headers are too large");
        return;
    }
    transfer->sent = true;
    stream_send(transfer->link->stream, head->data, head->length);
    if (letter != NULL)
        stream_send(transfer->link->stream, letter->bytes, letter->length);
    buffer_wipe(head);
    buffer_init(head, HTTP_HEAD_BYTES_MAX + 1); /* for the answer's */
}

/* The stream ended early: asks for the rest of it, if the service numbers its events. */
static void on_resume(uv_timer_t *timer)
{
    struct transfer *transfer = timer->data;

    links_take(transfer->owner, transfer);
}

static bool may_resume(const struct transfer *transfer)
{
    const struct connect *connect = transfer->owner->connect;
    const struct letter *letter = transfer->letter;

    return transfer->kind == TRANSFER_POST && transfer->use == USE_EVENTS &&
           transfer->last_id[0] != '\0' && transfer->key[0] != '\0' && !letter->modern &&
           transfer->resumes < RESUMES_MAX && connect->stage != STAGE_GOODBYE &&
           (letter->replay || ledger_find(&connect->ledger, transfer->key) != NULL);
}

static void resume(struct transfer *transfer)
{
    if (transfer->link != NULL)
        links_give_back(transfer->link, false);
    transfer->resumes++;
    transfer->resuming = true;
    transfer->sent = transfer->has_head = transfer->ended = false;
    buffer_reset(&transfer->head);
    sse_clear(&transfer->events);
    sse_init(&transfer->events,
             transfer->owner->connect->place.max_message_bytes + EVENT_SLACK_BYTES);
    uv_timer_start(&transfer->timer, on_resume,
                   transfer->retry_ms != 0 ? transfer->retry_ms : RESUME_FIRST_MS, 0);
}

/* Everything has come, or nothing more will. */
static void finish(struct transfer *transfer, const char *why)
{
    if (transfer->use == USE_REFUSAL) {
        streamable_refused(transfer);
        return;
    }
    if (transfer->use == USE_MESSAGE && why == NULL && transfer->text.length > 0) {
        char answered[RPC_ID_KEY_SIZE];

        connect_message(transfer->owner->connect, transfer->text.data, transfer->text.length,
                        answered);
        transfer->answered = strcmp(answered, transfer->key) == 0;
    }
    if (!transfer->answered && may_resume(transfer))
        resume(transfer);
    else
        streamable_done(transfer, why);
}

void transfer_lost(struct transfer *transfer)
{
    bool whole = transfer->has_head && transfer->body.kind == HTTP_BODY_UNTIL_CLOSE;

    finish(transfer,
           whole || transfer->ended ? NULL : "the connection was lost before the answer came");
}

static void on_event(struct transfer *transfer, const struct sse_event *event)
{
    char answered[RPC_ID_KEY_SIZE];

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
    connect_message(transfer->owner->connect, (char *)event->data.data, event->data.length,
                    answered);
    if (transfer->key[0] != '\0' && strcmp(answered, transfer->key) == 0)
        streamable_answered(transfer);
}

static bool on_events(struct transfer *transfer, struct span piece)
{
    while (piece.length > 0) {
        struct sse_event event;
        size_t taken = 0;

        switch (sse_next(&transfer->events, piece.data, piece.length, &taken, &event)) {
        case SSE_FAULT:
            return false;
        case SSE_EVENT:
            if (!event.comment)
                on_event(transfer, &event);
            break;
        case SSE_MORE:
            break;
        }
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
    struct streamable *http = transfer->owner;
    struct span id;

    if (transfer->letter == NULL || !transfer->letter->initialize || transfer->letter->modern ||
        transfer->resuming || transfer->status / 100 != 2)
        return;
    http->session[0] = '\0';
    if (!reason_allows(http_response_single(response, "mcp-session-id", &id)) || id.data == NULL ||
        id.length >= MCP_SESSION_SIZE)
        return;
    for (size_t i = 0; i < id.length; i++) {
        if (id.data[i] < 0x21 || id.data[i] > 0x7e)
            return;
    }
    memcpy(http->session, id.data, id.length);
    http->session[id.length] = '\0';
}

static enum transfer_use use_of(const struct transfer *transfer,
                                const struct http_response *response)
{
    struct span type;

    if (response->status / 100 != 2)
        return USE_REFUSAL;
    if (transfer->kind == TRANSFER_DELETE || response->status != 200)
        return USE_NOTHING;
    if (!reason_allows(http_response_single(response, "content-type", &type)))
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
    const char *method = transfer->kind == TRANSFER_DELETE                         ? "DELETE"
                         : transfer->resuming || transfer->kind == TRANSFER_LISTEN ? "GET"
                                                                                   : "POST";
    size_t before = transfer->head.length;
    size_t part = HTTP_HEAD_BYTES_MAX - before < length ? HTTP_HEAD_BYTES_MAX - before : length;
    struct http_response response;
    enum reason reason;

    buffer_append(&transfer->head, bytes, part);
    *used = part;
    switch (http_response_parse(transfer->head.data, transfer->head.length, &response, &reason)) {
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
    if (!reason_allows(http_body_of_response(&response, span_of(method), &transfer->body)))
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
    links_give_back(transfer->link, clean && !transfer->body.closes);
    finish(transfer, NULL);
}

void transfer_received(struct transfer *transfer, const char *bytes, size_t length)
{
    while (length > 0 && transfer->link != NULL) {
        enum http_progress progress = HTTP_MORE;
        struct span piece = {NULL, 0};
        size_t used = 0;

        if (!transfer->has_head) {
            if (!read_head(transfer, bytes, length, &used)) {
                finish(transfer, "the answer is not one");
                return;
            }
            if (transfer->has_head && transfer->status / 100 == 2)
                streamable_accepted(transfer);
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
