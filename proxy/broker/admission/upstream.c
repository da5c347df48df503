#include "broker/admission/upstream.h"

#include "base/log.h"
#include "broker/admission/link.h"
#include "broker/core/journal.h"
#include "system/trusted_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BUFFER_BYTES (512 * 1024) /* a request with a large injected record in one go */
#define TELL_INTERVAL_S   60

/* Each connection would say the same. */
static bool is_to_be_told(int64_t *told_at)
{
    int64_t now = clock_now();

    if (now < *told_at + TELL_INTERVAL_S)
        return false;
    *told_at = now;
    return true;
}

static void tell_stranger(const struct question *question, const char *why)
{
    struct surface_state *surface = question->surface;
    struct audit *audit = question->gate->audit;

    if (!is_to_be_told(&surface->stranger_told_at))
        return;
    log_error("surface %s: %s", surface->config->name, why);
    audit_begin(audit, "upstream_refused");
    audit_text(audit, "surface", surface->config->name);
    audit_reason(audit, REASON_UPSTREAM_OWNER);
    audit_text(audit, "why", why);
    journal_commit(audit);
}

static enum reason cause_of(int fault)
{
    switch (fault) {
    case ENOENT:
        return REASON_SOCKET_MISSING;
    case ECONNREFUSED:
        return REASON_SOCKET_DEAF;
    case EACCES:
    case EPERM:
        return REASON_SOCKET_DENIED;
    case EAGAIN:
        return REASON_UPSTREAM_BUSY;
    default:
        return REASON_UPSTREAM_UNREACHABLE;
    }
}

/* What connect(2) said: kept for the lines of those who are refused for it. */
static enum reason note_fault(struct surface_state *surface, int fault)
{
    enum reason reason = cause_of(fault);

    surface->upstream_fault = fault;
    surface->upstream_down = true;
    if (is_to_be_told(&surface->unreachable_told_at))
        log_warning("surface %s: %s: %s: %s", surface->config->name, reason_info(reason)->text,
                    surface->config->upstream_socket, strerror(fault));
    return reason;
}

static enum reason connect_socket(const struct question *question, int *fd)
{
    struct surface_state *surface = question->surface;
    int size = SEND_BUFFER_BYTES, link;
    enum reason reason;
    enum error error;
    char why[WHY_SIZE];

    link = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link < 0)
        return REASON_OUT_OF_MEMORY;
    setsockopt(link, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    error = trusted_way_connect(&surface->upstream, link, why);
    if (error == OK) {
        surface->upstream_down = false;
        *fd = link;
        return REASON_ALLOWED;
    }
    if (error == ERROR_DENIED) {
        reason = REASON_UPSTREAM_OWNER;
        tell_stranger(question, why);
    } else {
        reason = note_fault(surface, errno);
    }
    close(link);
    return reason;
}

static void let_go(struct reach reach)
{
    if (reach.let_go != NULL)
        reach.let_go(reach.work);
}

void upstream_reach(struct question *question, struct reach reach)
{
    enum reason reason;
    int fd = -1;

    if (surface_needs_launcher(question->surface->config)) {
        link_wait(question, reach);
        return;
    }
    reason = connect_socket(question, &fd);
    if (reason_allows(reason)) {
        reach.reached(question, fd, reach.work);
        return;
    }
    question_refuse(question, reason);
    let_go(reach);
}

enum reason upstream_write(int fd, const struct buffer *bytes)
{
    ssize_t sent;

    do
        sent = send(fd, bytes->data, bytes->length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)bytes->length || (sent < 0 && (errno == EPIPE || errno == ECONNRESET)))
        return REASON_ALLOWED;
    return REASON_UPSTREAM_STALLED;
}

/* The service's own token, which browser code can only put into the query. */
static void append_bearer(const struct question *question, struct buffer *out)
{
    char token[ADMISSION_BEARER_SIZE];

    if (admission_query_bearer(question->steps.route, question->request.query, token,
                               sizeof(token)))
        buffer_append_format(out, "Authorization: Bearer %s\r\n", token);
}

/* Only what the route names, whatever the worker sent along. */
static void append_headers(const struct question *question, struct buffer *out)
{
    for (uint32_t i = 0; i < question->message->header_count; i++) {
        const struct ipc_header_pair *header = &question->message->headers[i];

        if (text_list_contains(&question->steps.route->headers, span_of(header->name)) &&
            strpbrk(header->value, "\r\n") == NULL)
            buffer_append_format(out, "%s: %s\r\n", header->name, header->value);
    }
}

static void append_upgrade(const struct question *question, const char *path, const char *key,
                           struct buffer *out)
{
    const struct steps *steps = &question->steps;
    char room[CONFIG_LOCALHOST_SIZE];

    buffer_append_format(out, "GET %s", path);
    if (steps->query.length > 0)
        buffer_append_format(out, "?%s", steps->query.data);
    buffer_append_format(out,
                         " HTTP/1.1\r\n"
                         "Host: %s\r\n"
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Key: %s\r\n"
                         "Sec-WebSocket-Version: 13\r\n",
                         question_host(question, room), key);
    if (steps->offer.length > 0)
        buffer_append_format(out, "Sec-WebSocket-Protocol: %s\r\n", steps->offer.data);
    append_headers(question, out);
    append_bearer(question, out);
    buffer_append_text(out, "\r\n");
}

enum reason upstream_write_upgrade(const struct question *question, const char *path, int fd,
                                   char accept[WS_ACCEPT_SIZE])
{
    unsigned char nonce[16];
    char key[WS_KEY_SIZE];
    struct buffer head;
    enum reason reason;

    if (secret_pool_take(&question->gate->nonces, nonce, sizeof(nonce)) != OK)
        return REASON_INTERNAL;
    text_base64(nonce, sizeof(nonce), key);
    ws_accept_of(key, accept);
    buffer_init(&head, UPSTREAM_HEAD_BYTES_MAX);
    append_upgrade(question, path, key, &head);
    reason = buffer_failed(&head) ? REASON_INTERNAL : upstream_write(fd, &head);
    buffer_wipe(&head);
    return reason;
}

enum reason upstream_stored_body(const struct params *params, const char *member, const char *from,
                                 struct buffer *out)
{
    buffer_append_text(out, "{");
    buffer_append_json_string(out, member, strlen(member));
    buffer_append_text(out, ":");
    if (params == NULL || params_append_part(params, from, INJECT_JSON, out) != OK)
        return REASON_PARAMS_REQUIRED;
    buffer_append_text(out, "}");
    return buffer_failed(out) ? REASON_INTERNAL : REASON_ALLOWED;
}
