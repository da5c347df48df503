/* Streams of events, for mcp_gate.c: each is vetted, and written anew if it passes. */
#include "policy/admission.h"
#include "wire/url.h"
#include "worker/client/grant.h"
#include "worker/http/answer.h"
#include "worker/mcp/mcp.h"

#include <stdlib.h>
#include <string.h>

#define HAND_OVER_BYTES_MIN 262144 /* of what is sent without copying what waits */
#define EVENT_SLACK_BYTES   1024   /* of an event beside its message: names of fields, its id */

/* There was one; from one with an id a client may go on. */
static void note_event(struct exchange *exchange, const struct sse_event *event)
{
    mcp_of(exchange)->has_events = true;
    if (!event->has_id)
        return;
    mcp_of(exchange)->resumable = true;
    handles_give(grant_handles(exchange->connection), exchange->connection->session_id,
                 HANDLE_EVENT, event->id);
}

/* What is said of an event that is a message, if it or anything instead may pass. */
static enum reason take_verdict(struct exchange *exchange, const struct sse_event *event,
                                const struct vet_result *result)
{
    struct sse_event out = *event;

    if (result->action == VET_CLOSE)
        return result->reason;
    if (result->forward.data != NULL)
        out.data = result->forward;
    else if (result->action != VET_FORWARD)
        out.data = result->counterpart;
    out.has_data = out.data.data != NULL;
    if (out.has_data) {
        (void)buffer_reserve(&exchange->text, out.data.length + EVENT_SLACK_BYTES);
        sse_write(&out, &exchange->text);
    }
    if (result->action == VET_REFUSE && result->reply.data != NULL)
        mcp_tell(exchange, false, result->reply);
    return REASON_ALLOWED;
}

static enum reason take_message(struct exchange *exchange, const struct sse_event *event)
{
    struct vet_result result;

    if (!mcp_vet(exchange, DIRECTION_S2C, mcp_of(exchange)->replay, event->data, &result))
        return REASON_OUT_OF_MEMORY;
    return take_verdict(exchange, event, &result);
}

/* More of an event beyond the limit, of which nothing is kept but whose it is. */
static enum reason take_piece(struct exchange *exchange, struct span piece)
{
    struct mcp *mcp = mcp_of(exchange);

    mcp_forget_ahead(exchange);
    if (mcp->salvage == NULL) {
        mcp->salvage = calloc(1, sizeof(*mcp->salvage));
        assembly_begin(&exchange->held, exchange_now_ms(exchange));
    }
    if (mcp->salvage == NULL)
        return REASON_OUT_OF_MEMORY;
    salvage_read(mcp->salvage, piece);
    return REASON_ALLOWED;
}

/* Its end: whoever waits is told, and the stream goes on. */
static enum reason take_too_big(struct exchange *exchange, const struct sse_event *event)
{
    struct mcp *mcp = mcp_of(exchange);
    struct vet_result result;
    bool vetted = mcp_vet_too_big(exchange, mcp->salvage, &result);

    free(mcp->salvage);
    mcp->salvage = NULL;
    assembly_clear(&exchange->held);
    note_event(exchange, event);
    if (event->has_type && !span_equals(event->type, "message"))
        return REASON_ANSWER_TOO_BIG;
    return vetted ? take_verdict(exchange, event, &result) : REASON_OUT_OF_MEMORY;
}

/* The path and query of a URL of the service's own, by the Host that it was told or as this machine
 * and the client's port; absent for any other. */
static struct span own_target(const struct exchange *exchange, struct span url)
{
    static const char scheme[] = "http://";
    size_t prefix = sizeof(scheme) - 1, host = strlen(exchange->host);
    struct span rest;
    unsigned port;

    if (url.length > prefix + host && memcmp(url.data, scheme, prefix) == 0 &&
        memcmp(url.data + prefix, exchange->host, host) == 0) {
        url.data += prefix + host;
        url.length -= prefix + host;
    } else if ((rest = url_after_loopback(url, &port)).data != NULL &&
               port == exchange->connection->listener->port) {
        url = rest;
    }
    if (url.length == 0 || url.data[0] != '/' || (url.length > 1 && url.data[1] == '/'))
        return (struct span){NULL, 0};
    return http_is_target(url) ? url : (struct span){NULL, 0};
}

/* Where POSTs go in HTTP+SSE (2024-11-05): a route of this surface, and from now on this session's.
 */
static enum reason take_endpoint(struct exchange *exchange, const struct sse_event *event)
{
    struct mcp *mcp = mcp_of(exchange);
    const struct span target = own_target(exchange, event->data);
    struct span query = target, path;
    char decoded[REQUEST_PATH_BYTES_MAX], written[MCP_SESSION_ID_BYTES_MAX + 1];
    struct mcp_place place = {exchange->connection->surface_index, NULL, decoded, NULL};
    struct sse_event out = *event;
    enum reason reason;

    if (target.data == NULL || mcp->session != NULL || mcp->post ||
        target.length > MCP_SESSION_ID_BYTES_MAX)
        return REASON_ANSWER_ENDPOINT;
    path = span_split(&query, '?');
    if (!reason_allows(url_path_decode(path, decoded, sizeof(decoded))) ||
        !reason_allows(
            admission_route(exchange->connection->surface, decoded, false, &place.route)) ||
        exchange->http->gate_of(exchange->http, place.route) != exchange->gate)
        return REASON_ANSWER_ENDPOINT;
    if (query.data != NULL) {
        memcpy(written, query.data, query.length);
        written[query.length] = '\0';
        place.query = written;
    }
    reason = mcp_open_endpoint(exchange, target, &place);
    if (!reason_allows(reason) || mcp->session == NULL)
        return reason;
    mcp->endpoint = true;
    mcp->session->stream = exchange;
    out.data = target;
    sse_write(&out, &exchange->text);
    return REASON_ALLOWED;
}

/*
 * An event of a type that MCP does not have: often a sign of life, and sent on as one. Noted is one
 * of a stream. "error" is what some services say instead of an answer.
 */
static void take_strange(struct exchange *exchange, const struct sse_event *event)
{
    static const struct sse_event sign = {.comment = true};
    const struct sse_event rest = {.has_id = event->has_id,
                                   .id = event->id,
                                   .has_retry = event->has_retry,
                                   .retry_ms = event->retry_ms};
    struct vet_result unknown = {.action = VET_REFUSE, .reason = REASON_SHAPE_EVENT};
    struct mcp *mcp = mcp_of(exchange);

    sse_write(&sign, &exchange->text);
    sse_write(&rest, &exchange->text);
    if (span_equals(event->type, "error") && mcp_waits(exchange)) {
        unknown.reason = REASON_ANSWER_ERROR;
        mcp_fail_event(exchange, REASON_ANSWER_ERROR);
    } else if (mcp->has_strange) {
        return;
    }
    mcp->has_strange = true;
    grant_note(exchange->connection, DIRECTION_S2C, &unknown);
}

/* What an event means depends on its type. */
static enum reason take_event(struct exchange *exchange, const struct sse_event *event)
{
    enum reason reason = REASON_ALLOWED;

    note_event(exchange, event);
    if (event->comment || !event->has_data || event->data.length == 0)
        sse_write(event, &exchange->text);
    else if (!event->has_type || span_equals(event->type, "message"))
        reason = take_message(exchange, event);
    else if (span_equals(event->type, "endpoint"))
        reason = take_endpoint(exchange, event);
    else
        take_strange(exchange, event);
    return reason_allows(reason) && buffer_failed(&exchange->text) ? REASON_ANSWER_TOO_BIG : reason;
}

/* Sends what was written. A stream that rests keeps no memory for it. */
static enum reason flush(struct exchange *exchange)
{
    struct buffer *out = &exchange->text;
    enum reason reason = out->length < HAND_OVER_BYTES_MIN
                             ? answer_send_piece(exchange, (struct span){out->data, out->length})
                             : answer_hand_over(exchange, out);

    buffer_clear(out);
    return reason;
}

bool mcp_events_say(struct exchange *stream, struct span text)
{
    enum reason reason;

    if (stream->connection->state != CONNECTION_SERVED || stream->phase != EXCHANGE_ANSWERING ||
        exchange_out(stream)->length > 2 * READ_BYTES)
        return false;
    connection_wake(stream->connection);
    mcp_write_event(stream, text);
    reason = flush(stream);
    if (!reason_allows(reason))
        connection_drop(stream->connection, reason);
    exchange_watch(stream);
    return true;
}

enum reason mcp_events_end(struct exchange *exchange)
{
    static const struct sse_event cut = {0};
    const struct mcp *mcp = mcp_of(exchange);
    enum reason reason;

    /* What of an event beyond the limit does not come any more would not pass, either. */
    if (mcp->salvage != NULL) {
        reason = take_too_big(exchange, &cut);
        if (!reason_allows(reason))
            return reason;
    }
    reason = mcp->has_events ? REASON_ANSWER_MISSING : REASON_ANSWER_NO_EVENTS;
    /* A stream whose events have ids is taken up again, but HTTP+SSE's is all there was. */
    if (mcp->endpoint || !mcp->resumable)
        mcp_fail_event(exchange, reason);
    return flush(exchange);
}

/* The parser of a stream that begins; NULL without memory. */
static struct sse_parser *parser_of(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    if (mcp->events == NULL && (mcp->events = malloc(sizeof(*mcp->events))) != NULL) {
        const struct vet_rules rules = grant_rules(exchange->connection);

        sse_init(mcp->events,
                 (size_t)exchange_limits(exchange)->max_answer_bytes + EVENT_SLACK_BYTES);
        mcp->events->gives_pieces = vet_salvages(&rules);
    }
    return mcp->events;
}

enum reason mcp_events_receive(struct exchange *exchange, struct span piece)
{
    struct sse_parser *parser = parser_of(exchange);
    enum reason reason = parser != NULL ? REASON_ALLOWED : REASON_OUT_OF_MEMORY;
    size_t at = 0, taken;

    while (reason_allows(reason) && at < piece.length) {
        struct sse_event event;

        switch (sse_next(parser, piece.data + at, piece.length - at, &taken, &event)) {
        case SSE_FAULT:
            return parser->too_long ? REASON_ANSWER_TOO_BIG : REASON_ANSWER_EVENT;
        case SSE_MORE:
            at = piece.length;
            break;
        case SSE_EVENT:
            at += taken;
            reason = take_event(exchange, &event);
            if (!event.comment) /* there may be some within an event */
                mcp_forget_ahead(exchange);
            break;
        case SSE_PIECE:
            at += taken;
            reason = take_piece(exchange, event.data);
            break;
        case SSE_PIECE_LAST:
            at += taken;
            reason = take_too_big(exchange, &event);
            break;
        }
    }
    if (parser != NULL) {
        struct span so_far;

        sse_let_go(parser);
        so_far = sse_so_far(parser);
        exchange->within = parser->in_pieces || so_far.data != NULL;
        mcp_look_ahead(exchange, so_far);
    }
    return reason_allows(reason) ? flush(exchange) : reason;
}
