#include "worker/client/accept.h"

#include "base/log.h"
#include "worker/client/client.h"
#include "worker/client/lobby.h"
#include "worker/client/rates.h"
#include "worker/client/slots.h"
#include "worker/tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where several workers share a listener, whoever holds more than another lets it go first. */
#define YIELD_MS 2

struct door {
    struct door *next;
    unsigned holds; /* the list of doors, and the loop */
    bool open;      /* its poll and its descriptor */
    uv_poll_t poll;
    struct listener listener;
    uint32_t surface;
    bool crowded; /* the next is another worker's, which holds fewer, if it takes it */
    struct accept *accept;
};

/* ---- TLS ---- */

static bool lacks_certificate(const struct accept *accept, uint32_t slot)
{
    const struct surface *surface = slots_at(accept->worker, slot);

    return surface != NULL && surface->tls != NULL && accept->contexts[slot] == NULL;
}

/* Once it was: of what is added later each door looks for itself. */
bool accept_complete(struct accept *accept)
{
    for (uint32_t i = 0; !accept->complete && i < CONFIG_SLOTS_MAX; i++) {
        if (lacks_certificate(accept, i))
            return false;
    }
    accept->complete = true;
    return true;
}

enum error accept_install(struct accept *accept, const struct ipc_tls *tls)
{
    const struct surface *surface = slots_at(accept->worker, tls->surface);
    struct ssl_ctx_st *context;
    enum error error;

    if (surface == NULL || surface->tls == NULL ||
        (surface->tls->client_ca != NULL) != (tls->client_ca != NULL))
        return ERROR_SYNTAX;
    error = tls_context_create(
        &(struct tls_context_options){.certificate = tls->certificate,
                                      .key = tls->key,
                                      .client_ca = tls->client_ca,
                                      .client_required = surface->caller_certificates.count > 0},
        &context);
    if (error != OK) {
        log_error("surface %s: the certificate cannot be used: %s", surface->name,
                  error_text(error));
        return error;
    }
    tls_context_destroy(accept->contexts[tls->surface]);
    accept->contexts[tls->surface] = context;
    return OK;
}

static void know_certificate(struct connection *connection)
{
    char digest[SHA256_HEX_SIZE];

    if (!tls_peer(connection->client->endpoint.tls, digest))
        return;
    connection->certificate = strdup(digest);
    if (connection->certificate == NULL)
        connection_drop(connection, REASON_OUT_OF_MEMORY);
}

/* Handshakes that fail for other reasons are no requests: nobody asked for anything. */
static void tell_failed(const struct connection *connection, enum tls_stage stage)
{
    if (stage != TLS_FAILED)
        client_tell_denied(connection, stage == TLS_CERTIFICATE ? REASON_CERTIFICATE_REFUSED
                                                                : REASON_NOT_TLS_BUT_HTTP);
}

static void say_use_tls(struct buffer *out)
{
    static const char text[] = "This port speaks TLS: use https:// or wss://.\n";

    buffer_append_format(out,
                         "HTTP/1.1 400 Bad Request\r\n"
                         "Content-Type: text/plain\r\n"
                         "Content-Length: %zu\r\n"
                         "Connection: close\r\n"
                         "\r\n"
                         "%s",
                         sizeof(text) - 1, text);
}

/* Where it comes to nothing, the client is given time to read why. */
static void on_secured(struct endpoint *endpoint, enum tls_stage stage)
{
    struct connection *connection = ((struct client *)endpoint)->connection;
    struct buffer answer;

    if (connection == NULL)
        return;
    if (stage == TLS_OPEN) {
        know_certificate(connection);
        return;
    }
    tell_failed(connection, stage);
    buffer_init(&answer, HTTP_HEAD_BYTES_MAX);
    if (stage == TLS_PLAIN)
        say_use_tls(&answer);
    client_goodbye(connection, &answer);
    buffer_clear(&answer);
}

static enum error open_client(const struct accept *accept, struct connection *connection, int fd)
{
    enum error error = client_start(connection, fd);

    if (error != OK || connection->surface->tls == NULL)
        return error;
    connection->client->endpoint.secured = on_secured;
    error =
        endpoint_secure(&connection->client->endpoint, accept->contexts[connection->surface_index]);
    if (error != OK)
        connection_drop(connection, REASON_CLIENT_CLOSED);
    return OK;
}

/* ---- A connection ---- */

/* Identifies the caller before a byte is read, then lets the connection begin. */
static void welcome(const struct door *door, int fd)
{
    struct accept *accept = door->accept;
    struct connection *connection;
    uint32_t uid = 0;
    bool known;

    known = caller_uid(accept->callers, fd, &uid) == OK;
    connection = connection_create(&(struct connection_options){.worker = accept->worker,
                                                                .surface = door->surface,
                                                                .listener = &door->listener,
                                                                .mode = &client_mode,
                                                                .caller_known = known,
                                                                .caller_uid = uid});
    if (connection == NULL) {
        close(fd);
        return;
    }
    rates_note_connection(connection);
    if (open_client(accept, connection, fd) != OK)
        connection_discard(connection);
    else if (connection->client != NULL)
        endpoint_look(&connection->client->endpoint);
}

/* ---- The listeners ---- */

/* Of descriptors or memory: somebody of the lobby gives some back, or nobody is let in for a while.
 */
static void run_out(struct accept *accept)
{
    if (lobby_make_room(accept->worker))
        return;
    accept->starved = true;
    accept_open(accept, false);
}

static void watch_doors(const struct accept *accept, bool open);

static void on_yielded(uv_timer_t *timer)
{
    struct accept *accept = timer->data;

    watch_doors(accept, accept->open);
}

void accept_yield(struct accept *accept, uint32_t surface, bool crowded)
{
    for (struct door *door = accept->doors; door != NULL; door = door->next) {
        if (door->surface == surface)
            door->crowded = crowded;
    }
}

/* Others are given the time to take who has come; then it is anybody's. */
static bool yields(struct door *door)
{
    struct accept *accept = door->accept;

    if (!door->crowded || uv_is_active((uv_handle_t *)&accept->yield))
        return false;
    door->crowded = false;
    uv_poll_stop(&door->poll);
    uv_timer_start(&accept->yield, on_yielded, YIELD_MS, 0);
    return true;
}

/* One a turn: to find that there is no other would cost a system call, and all others have theirs.
 */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;
    struct accept *accept = door->accept;
    bool room;
    int fd;

    (void)events;
    if (status < 0 || yields(door))
        return;
    fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            run_out(accept);
        return;
    }
    room = accept->worker->connection_count < accept->connection_max ||
           lobby_make_room(accept->worker);
    welcome(door, fd);
    if (!room)
        accept_open(accept, false);
}

void accept_tick(struct accept *accept)
{
    accept->starved = false;
    if (!accept->open && lobby_last_in_line(accept->worker) != NULL)
        accept_open(accept, true);
}

void accept_go_on(struct accept *accept)
{
    if (!accept->open && !accept->starved &&
        accept->worker->connection_count < accept->connection_max)
        accept_open(accept, true);
}

static void watch_doors(const struct accept *accept, bool open)
{
    for (struct door *door = accept->doors; door != NULL; door = door->next) {
        if (!door->open)
            continue;
        if (open)
            uv_poll_start(&door->poll, UV_READABLE, on_acceptable);
        else
            uv_poll_stop(&door->poll);
    }
}

void accept_open(struct accept *accept, bool open)
{
    if (accept->open == open || (open && (accept->worker->draining || !accept_complete(accept))))
        return;
    accept->open = open;
    watch_doors(accept, open);
}

enum error accept_prepare(struct accept *accept)
{
    enum error error = caller_lookup_create(&accept->callers);

    return error == OK ? tls_context_prepare() : error;
}

enum error accept_add(struct accept *accept, int fd, uint32_t surface)
{
    struct door *door;

    if (accept->complete && lacks_certificate(accept, surface))
        return ERROR_SYNTAX;
    door = calloc(1, sizeof(*door));
    if (door == NULL)
        return ERROR_MEMORY;
    door->accept = accept;
    door->surface = surface;
    door->listener.fd = fd;
    door->poll.data = door;
    if (listener_describe(&door->listener) != OK ||
        uv_poll_init(&accept->worker->loop, &door->poll, fd) != 0) {
        free(door);
        return ERROR_IO;
    }
    if (!accept->yields) {
        uv_timer_init(&accept->worker->loop, &accept->yield);
        accept->yield.data = accept;
        accept->yields = true;
    }
    door->open = true;
    door->holds = 2;
    door->next = accept->doors;
    accept->doors = door;
    if (accept->open)
        uv_poll_start(&door->poll, UV_READABLE, on_acceptable);
    return OK;
}

/* Its memory is freed once the loop and the connections that came in by it have let go. */
static void door_let_go(struct door *door)
{
    if (--door->holds == 0)
        free(door);
}

static void on_shut(uv_handle_t *handle)
{
    door_let_go(handle->data);
}

/* The descriptor at once: whoever is told that it is closed finds it so. */
static void shut(struct door *door)
{
    if (!door->open)
        return;
    door->open = false;
    uv_close((uv_handle_t *)&door->poll, on_shut);
    listener_close(&door->listener);
}

void accept_stop(struct accept *accept)
{
    accept_open(accept, false);
    if (accept->yields && !uv_is_closing((uv_handle_t *)&accept->yield))
        uv_close((uv_handle_t *)&accept->yield, NULL);
    for (struct door *door = accept->doors; door != NULL; door = door->next)
        shut(door);
}

void accept_leave(struct accept *accept, uint32_t surface)
{
    for (struct door *door = accept->doors; door != NULL; door = door->next) {
        if (door->surface == surface)
            shut(door);
    }
}

void accept_vacate(struct accept *accept, uint32_t surface)
{
    struct door **at = &accept->doors;

    while (*at != NULL) {
        struct door *door = *at;

        if (door->surface != surface) {
            at = &door->next;
            continue;
        }
        *at = door->next;
        door_let_go(door);
    }
    tls_context_destroy(accept->contexts[surface]);
    accept->contexts[surface] = NULL;
}

void accept_release(struct accept *accept)
{
    while (accept->doors != NULL) {
        struct door *door = accept->doors;

        accept->doors = door->next;
        if (door->open)
            free(door); /* nothing ran */
        else
            door_let_go(door);
    }
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        tls_context_destroy(accept->contexts[i]);
    caller_lookup_destroy(accept->callers);
}
