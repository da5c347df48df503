#include "launch/relay/answer.h"

#include "wire/sse.h"

#include <string.h>

#define HEAD_SESSION "Mcp-Session-Id: "

void answer_status(struct link *link, unsigned status, const char *more)
{
    buffer_append_format(&link->out, "HTTP/1.1 %u %s\r\n%s%s\r\n", status,
                         http_status_phrase(status), more,
                         status == 204 ? "" : "Content-Length: 0\r\n");
    link_send(link);
}

static void append_session(struct buffer *out, const char *session_id)
{
    if (session_id[0] != '\0')
        buffer_append_format(out, HEAD_SESSION "%s\r\n", session_id);
}

void answer_message(struct link *link, unsigned status, struct span message, const char *session_id)
{
    buffer_append_format(&link->out,
                         "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n",
                         status, http_status_phrase(status), message.length);
    append_session(&link->out, session_id);
    buffer_append_text(&link->out, "\r\n");
    buffer_append(&link->out, message.data, message.length);
    link_send(link);
}

void answer_begin(struct link *link, const char *session_id)
{
    buffer_append_text(&link->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                   "Cache-Control: no-cache, no-transform\r\n"
                                   "Transfer-Encoding: chunked\r\n");
    append_session(&link->out, session_id);
    buffer_append_text(&link->out, "\r\n");
    link_send(link);
}

static void append_chunk(struct buffer *out, struct span bytes)
{
    char header[HTTP_CHUNK_HEADER_MAX];

    buffer_append(out, header, http_chunk_header(header, bytes.length));
    buffer_append(out, bytes.data, bytes.length);
    buffer_append_text(out, "\r\n");
}

void answer_keep(struct buffer *out, struct span message)
{
    const struct sse_event event = {
        .has_type = true, .type = span_of("message"), .has_data = true, .data = message};

    sse_write(&event, out);
}

void answer_kept(struct link *link, struct buffer *kept)
{
    if (kept->length > 0)
        append_chunk(&link->out, (struct span){kept->data, kept->length});
    buffer_clear(kept);
    link_send(link);
}

void answer_event(struct link *link, struct span message)
{
    struct buffer event;

    buffer_init(&event, link->out.max_bytes);
    answer_keep(&event, message);
    if (buffer_failed(&event))
        link->out.failed = true; /* it cannot be told the whole truth any more */
    answer_kept(link, &event);
}

void answer_end(struct link *link)
{
    buffer_append_text(&link->out, HTTP_LAST_CHUNK);
    link_send(link);
}

void answer_frame(struct link *link, struct span message)
{
    unsigned char header[WS_HEADER_MAX];

    buffer_append(&link->out, header, ws_header_write(header, WS_TEXT, message.length, NULL));
    buffer_append(&link->out, message.data, message.length);
    link_send(link);
}

void answer_error(struct link *link, unsigned status, int code, const char *message,
                  const char *reason)
{
    struct span id = link->id[0] != '\0' ? span_of(link->id) : (struct span){NULL, 0};
    struct buffer text;

    buffer_init(&text, RPC_ID_BYTES_MAX + 2048);
    rpc_write_error(&text, id, code, message, reason);
    if (link->wait == LINK_STREAM) {
        answer_event(link, (struct span){text.data, text.length});
        answer_end(link);
    } else {
        answer_message(link, status, (struct span){text.data, text.length}, "");
    }
    buffer_clear(&text);
}
