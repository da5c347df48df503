#include "launch/relay/socket.h"

#include "launch/relay/answer.h"

#include <stdio.h>
#include <string.h>

#define SUBPROTOCOL "mcp"

/* Close codes, RFC 6455 section 7.4.1 */
#define CLOSE_PROTOCOL 1002
#define CLOSE_KIND     1003
#define CLOSE_TEXT     1007
#define CLOSE_BUSY     1013

static void send_control(struct link *link, enum ws_opcode opcode, const unsigned char *payload,
                         size_t length)
{
    unsigned char header[WS_HEADER_MAX];

    buffer_append(&link->out, header, ws_header_write(header, opcode, length, NULL));
    buffer_append(&link->out, payload, length);
    link_send(link);
}

/* Code 0: as the other end closed. */
static bool leave(struct link *link, unsigned code, const char *text)
{
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX];
    struct session *session = link->session;

    send_control(link, WS_CLOSE, payload, ws_close_write(payload, code, text, strlen(text)));
    if (session != NULL) {
        session_part(session, link);
        session_end(session, "its client has gone", REASON_SERVICE_DOWN);
    }
    link->wait = LINK_OVER;
    return false;
}

/* One message a line: line breaks between its tokens become spaces. */
static bool take_text(struct link *link, char *text, size_t length)
{
    struct session *session = link->session;
    struct rpc rpc;

    if (rpc_read(session->house->scan, text, length, &rpc) != OK)
        return leave(link, CLOSE_TEXT, "this is no JSON-RPC message");
    if (session_say(session, (struct span){text, length}) != OK)
        return leave(link, CLOSE_BUSY, "the service's process does not read what it is sent");
    return true;
}

static bool take_whole(struct link *link, const struct ws_whole *whole)
{
    switch (whole->opcode) {
    case WS_TEXT:
        return take_text(link, (char *)whole->data, whole->length);
    case WS_PING:
        send_control(link, WS_PONG, whole->data, whole->length);
        return true;
    case WS_PONG:
        return true;
    case WS_CLOSE:
        return leave(link, 0, "");
    default:
        return leave(link, CLOSE_KIND, "messages are text");
    }
}

bool socket_bytes(struct link *link)
{
    struct ws_whole whole;
    size_t taken = 0;
    bool on = true;
    enum ws_progress progress = ws_reader_next(&link->reader, (unsigned char *)link->in.data,
                                               link->in.length, &taken, &whole);

    if (progress == WS_WHOLE)
        on = take_whole(link, &whole);
    else if (progress != WS_MORE)
        on = leave(link, CLOSE_PROTOCOL, "the frame breaks the protocol");
    buffer_consume(&link->in, taken);
    return on;
}

void socket_open(struct link *link, const struct http_request *request)
{
    struct house *house = link->house;
    struct session *session = NULL;
    struct span key;
    char text[WS_KEY_SIZE], accept[WS_ACCEPT_SIZE];

    if (reason_allows(http_fields_single(&request->fields, "sec-websocket-key", &key)) &&
        key.length == WS_KEY_SIZE - 1)
        session = session_create(house, SESSION_SOCKET);
    if (session == NULL) {
        answer_status(link, 503, "Connection: close\r\n");
        link->wait = LINK_OVER;
        return;
    }
    snprintf(text, sizeof(text), "%.*s", (int)key.length, key.data);
    ws_accept_of(text, accept);
    buffer_append_format(
        &link->out,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
        accept,
        http_fields_have_token(&request->fields, "sec-websocket-protocol", SUBPROTOCOL)
            ? "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n"
            : "");
    buffer_consume(&link->in, request->head_bytes);
    session_join(session, link, LINK_SOCKET);
    link_send(link);
}
