#include "policy/admission.h"
#include "policy/own_path.h"
#include "wire/http_denial.h"
#include "worker/client/connection.h"

#define ALLOW_BYTES_MAX 1024

/* The methods that the path takes. */
static void append_methods(const struct connection *connection, struct buffer *out)
{
    const struct handshake *handshake = connection->handshake;
    const struct route *route =
        admission_route(connection->surface, handshake->path, handshake->key[0] != '\0');

    if (own_path_is(handshake->path))
        buffer_append_text(out, own_path_methods(handshake->path));
    else if (route != NULL)
        admission_methods(route, out);
}

void denial_write(const struct connection *connection, enum reason reason, struct buffer *out)
{
    const struct handshake *handshake = connection->handshake;
    bool there = handshake->request.method.data != NULL;
    struct http_denial denial = {
        .reason = reason,
        .request_id = handshake->request_id,
        .head_only = there ? span_equals(handshake->request.method, "HEAD") : handshake->head_only,
        .page = there ? http_denial_wants_page(&handshake->request) : handshake->page,
        .surface = connection->surface->name};
    struct buffer allow;

    buffer_init(&allow, ALLOW_BYTES_MAX);
    if (reason == REASON_METHOD_REFUSED)
        append_methods(connection, &allow);
    if (allow.length > 0 && !buffer_failed(&allow))
        denial.allow = allow.data;
    http_denial_write(&denial, out);
    buffer_clear(&allow);
}
