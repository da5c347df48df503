#include "broker/admission/upstream.h"

#include "base/secret.h"
#include "base/text.h"
#include "policy/admission.h"
#include "wire/url.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (512 * 1024) /* a request with a large injected record in one go */

enum reason upstream_connect(const struct surface *surface, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = SEND_BUFFER_BYTES, link;

    if (strlen(surface->upstream_socket) >= sizeof(address.sun_path))
        return REASON_UPSTREAM_UNREACHABLE;
    memcpy(address.sun_path, surface->upstream_socket, strlen(surface->upstream_socket) + 1);
    link = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link < 0)
        return REASON_CAPACITY;
    setsockopt(link, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (connect(link, (struct sockaddr *)&address, sizeof(address)) < 0) {
        enum reason reason =
            errno == EAGAIN ? REASON_UPSTREAM_TIMEOUT : REASON_UPSTREAM_UNREACHABLE;

        close(link);
        return reason;
    }
    *fd = link;
    return REASON_ALLOWED;
}

static void append_host(const struct upstream_upgrade *upgrade, struct buffer *out)
{
    buffer_append_format(out, "Host: %s\r\n",
                         config_route_host(upgrade->route, upgrade->request->host));
}

/* The service's own token, which browser code can only put into the query. */
static void append_bearer(const struct upstream_upgrade *upgrade, struct buffer *out)
{
    char token[ADMISSION_BEARER_SIZE];

    if (admission_query_bearer(upgrade->route, upgrade->request->query, token, sizeof(token)))
        buffer_append_format(out, "Authorization: Bearer %s\r\n", token);
}

/* Only what the route names, whatever the worker sent along. */
static void append_headers(const struct upstream_upgrade *upgrade, struct buffer *out)
{
    for (uint32_t i = 0; i < upgrade->request->header_count; i++) {
        const struct ipc_header_pair *header = &upgrade->request->headers[i];

        if (text_list_contains(&upgrade->route->headers, span_of(header->name)) &&
            strpbrk(header->value, "\r\n") == NULL)
            buffer_append_format(out, "%s: %s\r\n", header->name, header->value);
    }
}

enum error upstream_upgrade_request(const struct upstream_upgrade *upgrade, struct buffer *out,
                                    char accept[WS_ACCEPT_SIZE])
{
    unsigned char nonce[16];
    char key[WS_KEY_SIZE];
    enum error error = secret_random(nonce, sizeof(nonce));

    if (error != OK)
        return error;
    text_base64(nonce, sizeof(nonce), key);
    ws_accept_of(key, accept);
    buffer_append_text(out, "GET ");
    url_encode(span_of(upgrade->path), true, out);
    if (upgrade->query[0] != '\0')
        buffer_append_format(out, "?%s", upgrade->query);
    buffer_append_text(out, " HTTP/1.1\r\n");
    append_host(upgrade, out);
    buffer_append_format(out,
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Key: %s\r\n"
                         "Sec-WebSocket-Version: 13\r\n",
                         key);
    if (upgrade->offer[0] != '\0')
        buffer_append_format(out, "Sec-WebSocket-Protocol: %s\r\n", upgrade->offer);
    append_headers(upgrade, out);
    append_bearer(upgrade, out);
    buffer_append_text(out, "\r\n");
    return buffer_failed(out) ? ERROR_LIMIT : OK;
}

enum reason upstream_write(int fd, const struct buffer *bytes)
{
    ssize_t sent;

    do
        sent = send(fd, bytes->data, bytes->length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)bytes->length)
        return REASON_ALLOWED;
    return sent >= 0 || errno == EAGAIN ? REASON_UPSTREAM_TIMEOUT : REASON_UPSTREAM_UNREACHABLE;
}
