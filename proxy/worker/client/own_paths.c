#include "policy/own_path.h"
#include "wire/http_body.h"
#include "wire/page.h"
#include "wire/url.h"
#include "worker/client/connection.h"

#include <stdio.h>
#include <string.h>

#define TITLE_BYTES_MAX 128

enum http_progress own_paths_read(struct handshake *handshake, enum reason *reason)
{
    const struct http_request *request = &handshake->request;
    struct http_body body;
    size_t end;

    handshake->body = NULL;
    if (url_path_decode(request->path, handshake->path, sizeof(handshake->path)) != OK ||
        !own_path_is(handshake->path))
        return HTTP_COMPLETE;
    *reason = http_body_of_request(request, false, &body);
    if (!reason_allows(*reason))
        return HTTP_FAULT;
    if (body.kind != HTTP_BODY_LENGTH)
        return HTTP_COMPLETE;
    end = request->head_bytes + (size_t)body.left;
    if (body.left > OWN_PATH_BODY_BYTES_MAX || end >= HTTP_HEAD_BYTES_MAX) {
        *reason = REASON_BODY_TOO_LARGE;
        return HTTP_FAULT;
    }
    if (handshake->head_length < end)
        return HTTP_MORE;
    handshake->head[end] = '\0';
    handshake->body = handshake->head + request->head_bytes;
    *reason = REASON_MALFORMED;
    return strlen(handshake->body) == body.left ? HTTP_COMPLETE : HTTP_FAULT;
}

static void write_body(const struct connection *connection, enum page page, struct buffer *out)
{
    const char *surface = connection->surface->name;
    char command[TITLE_BYTES_MAX], title[TITLE_BYTES_MAX];
    const struct page_value values[] = {{"surface", surface}, {"command", command}};

    snprintf(command, sizeof(command), "sidelock open %s", surface);
    snprintf(title, sizeof(title), "%s: log %s", surface, page == PAGE_LOGIN ? "in" : "out");
    page_write(page, title, values, sizeof(values) / sizeof(values[0]), out);
}

/* An empty answer stands for the page that the path has. */
static void write_answer(const struct connection *connection, const struct ipc_verdict *verdict,
                         struct buffer *out)
{
    const struct handshake *handshake = connection->handshake;
    enum page page = strcmp(handshake->path, OWN_PATH_LOGIN) == 0 ? PAGE_LOGIN : PAGE_LOGOUT;
    struct buffer body;

    buffer_init(&body, HTTP_HEAD_BYTES_MAX);
    buffer_append_text(out, "HTTP/1.1 200 OK\r\n");
    if (verdict->answer[0] == '\0') {
        write_body(connection, page, &body);
        page_write_headers(page, out);
    } else {
        buffer_append_text(&body, verdict->answer);
        buffer_append_text(out, "Content-Type: application/json\r\n"
                                "Cross-Origin-Resource-Policy: same-origin\r\n");
    }
    if (verdict->set_cookie != NULL)
        buffer_append_format(out, "Set-Cookie: %s\r\n", verdict->set_cookie);
    buffer_append_format(out,
                         "Content-Length: %zu\r\n"
                         "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: close\r\n\r\n",
                         body.length);
    if (!span_equals(handshake->request.method, "HEAD"))
        buffer_append(out, body.data, body.length);
    out->failed = out->failed || buffer_failed(&body);
    buffer_wipe(&body);
}

void own_paths_answer(struct connection *connection, const struct ipc_verdict *verdict)
{
    write_answer(connection, verdict, &connection->handshake->denial);
    handshake_answer(connection);
}
