#include "worker/client/client.h"

#include "policy/admission.h"
#include "policy/own_path.h"
#include "system/peer.h"
#include "wire/http_denial.h"
#include "wire/url.h"
#include "worker/client/cut.h"
#include "worker/client/held.h"
#include "worker/client/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_TIMEOUT_MS      10000
#define ADMISSION_TIMEOUT_MS 2000
/* Those of an exchange that goes well, too: a change of them takes system calls. */
#define CLIENT_EVENTS (UV_READABLE | UV_DISCONNECT)
/*
 * What a client may still send after its last answer: it is read and thrown away, for most
 * clients read an answer only once their body has gone, and one that was cut off is not read.
 * LINGER_TIMEOUT_MS is for its silence. Whoever lingers is the first to give way (lobby.h).
 */
#define LINGER_MS_MAX    30000
#define LINGER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SEEN_BYTES_MAX   128
#define ALLOW_BYTES_MAX  1024

static void new_request_id(struct worker *worker, struct asker *asker)
{
    unsigned char random[(REQUEST_ID_SIZE - 1) / 2];

    worker_random(worker, random, sizeof(random));
    text_hex(random, sizeof(random), asker->request_id);
}

static void on_ready(struct endpoint *endpoint, int status, int events);

/* The endpoint is a client's first member. */
static void on_closed(struct endpoint *endpoint)
{
    struct client *client = (struct client *)endpoint;

    head_destroy(client->head);
    free(client->path);
    free(client->raw_path);
    free(client->seen);
    free(client);
}

enum error client_start(struct connection *connection, int fd)
{
    struct client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        close(fd);
        return ERROR_MEMORY;
    }
    client->endpoint.ready = on_ready;
    client->endpoint.closed = on_closed;
    if (endpoint_open(&client->endpoint, &connection->worker->endpoints, fd) != OK) {
        free(client);
        return ERROR_IO;
    }
    client->connection = connection;
    new_request_id(connection->worker, &client->asker);
    connection->client = client;
    connection->deadline_ms = worker_now_ms(connection->worker) + HEAD_TIMEOUT_MS;
    connection_hold(connection);
    endpoint_watch(&client->endpoint, CLIENT_EVENTS);
    return OK;
}

void client_end(struct connection *connection)
{
    struct client *client = connection->client;

    if (client == NULL)
        return;
    connection->client = NULL;
    client->connection = NULL;
    endpoint_close(&client->endpoint);
    connection_let_go(connection);
}

void client_forget_head(struct client *client)
{
    if (client->head == NULL)
        return;
    if (client->asker.path == client->head->path) {
        client->asker.path = client->path = strdup(client->head->path);
        client->asker.raw_path = client->raw_path = text_copy(client->head->request.path);
    }
    head_destroy(client->head);
    client->head = NULL;
}

/* ---- The last answer ---- */

/* Writes what is left of it, then says that no more comes. */
static void write_last(struct client *client)
{
    struct endpoint *endpoint = &client->endpoint;

    if (!endpoint_flush(endpoint))
        outgoing_clear(&endpoint->out);
    if (!outgoing_empty(&endpoint->out)) {
        endpoint_watch(endpoint, UV_READABLE | UV_WRITABLE);
        return;
    }
    endpoint_finish(endpoint);
    endpoint_watch(endpoint, UV_READABLE);
}

void client_goodbye(struct connection *connection, const struct buffer *answer)
{
    struct client *client = connection->client;
    const struct iovec part = {answer->data, answer->length};

    connection_set_state(connection, CONNECTION_LINGERING);
    client->lingers_since_ms = worker_now_ms(connection->worker);
    connection->deadline_ms = client->lingers_since_ms + LINGER_TIMEOUT_MS;
    if (buffer_failed(answer)) {
        client_end(connection);
        return;
    }
    if (!endpoint_send(&client->endpoint, &part, 1))
        outgoing_clear(&client->endpoint.out);
    write_last(client);
}

/* It has sent so much more. */
static bool may_linger(struct client *client, size_t bytes)
{
    struct connection *connection = client->connection;
    uint64_t now_ms = worker_now_ms(connection->worker);

    client->lingered_bytes += bytes;
    connection->deadline_ms = now_ms + LINGER_TIMEOUT_MS;
    return client->lingered_bytes <= LINGER_BYTES_MAX &&
           now_ms - client->lingers_since_ms <= LINGER_MS_MAX;
}

/* Take what the client still sends, so that it can read our answer. */
static void linger(struct client *client)
{
    struct connection *connection = client->connection;
    ssize_t received;

    if (!outgoing_empty(&client->endpoint.out)) {
        write_last(client);
        return;
    }
    received = endpoint_receive(&client->endpoint, connection->worker->read_buffer, READ_BYTES);
    if (received > 0 && may_linger(client, (size_t)received))
        return;
    if (received >= 0 || (errno != EAGAIN && errno != EINTR))
        client_end(connection);
}

/* ---- Denials ---- */

/* The methods that the path takes. */
static void append_methods(const struct head *head, struct buffer *out)
{
    if (own_path_is(head->path))
        buffer_append_text(out, own_path_methods(head->path));
    else if (head->route != NULL)
        admission_methods(head->route, out);
}

void client_saw(struct client *client, struct span seen)
{
    if (client == NULL || seen.data == NULL)
        return;
    free(client->seen);
    client->seen = text_copy(head_shown(seen, SEEN_BYTES_MAX));
}

/* A problem document, or a page for people. */
static void write_denial(const struct connection *connection, enum reason reason,
                         struct buffer *out)
{
    const struct asker *asker = &connection->client->asker;
    const struct head *head = connection->client->head;
    struct http_denial denial = {.reason = reason,
                                 .seen = connection->client->seen,
                                 .request_id = asker->request_id,
                                 .head_only = asker->head_only,
                                 .page = asker->page,
                                 .again = head != NULL && head->asked.request.origin == NULL &&
                                          head->asked.request.fetch_site == NULL,
                                 .surface = connection->surface->name};
    struct buffer allow;

    buffer_init(&allow, ALLOW_BYTES_MAX);
    if (reason == REASON_METHOD_REFUSED && head != NULL)
        append_methods(head, &allow);
    if (allow.length > 0 && !buffer_failed(&allow))
        denial.allow = allow.data;
    http_denial_write(&denial, out);
    buffer_clear(&allow);
}

void client_tell_denied(const struct connection *connection, enum reason reason)
{
    struct client *client = connection->client;
    struct ipc_denied denied = {
        .connection = connection->admitted ? connection->id : 0,
        .surface = connection->surface_index,
        .reason = reason,
        .caller_told = connection->caller_known,
        .caller_uid_told = connection->caller_uid,
        .target = client->head != NULL ? head_stray_target(client->head) : NULL,
        .request_id = client->asker.request_id,
    };
    struct head_told told;
    struct peer peer;

    peer_find(client->endpoint.fd, &peer);
    denied.peer_told = peer.text;
    head_tell(client->head, &client->asker, &told);
    if (client->head != NULL)
        client_saw(client, head_seen(client->head, reason));
    denied.method = told.method;
    denied.path = told.path;
    denied.host = told.host;
    denied.seen = client->seen;

    if (!worker_tell(connection->worker, IPC_DENIED, &denied))
        connection->worker->surfaces[connection->surface_index].denied++;
}

void client_deny(struct connection *connection, enum reason reason)
{
    struct buffer answer;

    if (reason == REASON_CLIENT_CLOSED) {
        connection_set_state(connection, CONNECTION_LINGERING);
        client_end(connection);
        return;
    }
    if (connection->client->head != NULL)
        client_saw(connection->client, head_seen(connection->client->head, reason));
    buffer_init(&answer, HTTP_HEAD_BYTES_MAX);
    write_denial(connection, reason, &answer);
    client_goodbye(connection, &answer);
    buffer_clear(&answer);
}

void client_drop(struct connection *connection, enum reason reason)
{
    const struct head *head = connection->client->head;

    if (connection->state == CONNECTION_HEAD && (head == NULL || head->length == 0))
        reason = REASON_CLIENT_CLOSED;
    /* The broker knows of its own denials. */
    if (reason != REASON_CLIENT_CLOSED &&
        (connection->state == CONNECTION_HEAD || reason == REASON_ADMISSION_TIMEOUT))
        client_tell_denied(connection, reason);
    client_deny(connection, reason);
}

/* ---- Requests ---- */

void client_ask(struct connection *connection)
{
    struct client *client = connection->client;
    uint64_t now_ms = worker_now_ms(connection->worker);
    enum reason room;

    /* Pages of the gate's own need none. */
    if (!own_path_is(client->head->path) && !reason_allows(room = room_may_be_had(connection))) {
        connection_drop(connection, room);
        return;
    }
    client->head->asked.connection = connection->id;
    if (!worker_ask(connection->worker, IPC_ADMIT, &client->head->asked, client->endpoint.fd)) {
        connection_drop(connection, REASON_BROKER_BUSY);
        return;
    }
    connection_set_state(connection, CONNECTION_ASKING);
    client->asked_ms = now_ms;
    connection->deadline_ms =
        now_ms + ADMISSION_TIMEOUT_MS + connection->surface->limits.upstream_timeout_ms;
}

/* The head is complete: refuse it here, or go on with what it asks for. */
static void take_request(struct connection *connection)
{
    struct client *client = connection->client;
    enum reason reason = head_read(client->head, connection, &client->asker);

    client->asker.raw_path = client->head->asked.request.raw_path;
    if (connection->hasty)
        reason = REASON_RATE_CONNECTIONS;
    if (reason_allows(reason))
        connection->mode->request(connection);
    else
        connection_drop(connection, reason);
}

/* What has come so far: a whole head, or not yet. */
static void parse_head(struct connection *connection)
{
    struct client *client = connection->client;
    struct head *head = client->head;
    struct asker *asker = &client->asker;
    enum reason reason;
    enum http_progress progress =
        http_request_parse(head->bytes, head->length, &head->request, &reason);

    if (progress == HTTP_COMPLETE) {
        asker->head_only = span_equals(head->request.method, "HEAD");
        asker->page = http_denial_wants_page(&head->request);
        head->path_fault = url_path_decode(head->request.path, head->path, sizeof(head->path));
        if (reason_allows(head->path_fault))
            asker->path = head->path;
        else
            head->path[0] = '\0';
        progress = head_read_body(head, &reason);
    }
    switch (progress) {
    case HTTP_MORE:
        return;
    case HTTP_COMPLETE:
        take_request(connection);
        return;
    case HTTP_FAULT:
        asker->head_only = false;
        /* Of a head that is too large enough is there to know a browser by. */
        asker->page =
            reason_same(reason, REASON_HEADERS_TOO_LARGE) && http_denial_wants_page(&head->request);
        connection_drop(connection, reason);
        return;
    }
}

static void read_head(struct connection *connection)
{
    struct client *client = connection->client;
    struct head *head = client->head != NULL ? client->head : head_create();
    ssize_t received;

    client->head = head;
    if (head == NULL) {
        connection_drop(connection, REASON_OUT_OF_MEMORY);
        return;
    }
    received = endpoint_receive(&client->endpoint, head->bytes + head->length,
                                HTTP_HEAD_BYTES_MAX - head->length);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0) {
        connection_drop(connection,
                        head->length > 0 && received == 0 ? REASON_HEAD_CUT : REASON_CLIENT_CLOSED);
        return;
    }
    /* Of a further request, the wait for it does not count. */
    if (head->length == 0 && connection->admitted)
        connection->deadline_ms = worker_now_ms(connection->worker) + HEAD_TIMEOUT_MS;
    head->length += (size_t)received;
    parse_head(connection);
}

/* Reads on: what came with the last request first. */
static void read_next(struct connection *connection)
{
    struct client *client = connection->client;
    struct head *head = client->head;
    size_t taken = head != NULL ? head->request.head_bytes : 0;
    size_t rest = head != NULL && head->length > taken ? head->length - taken : 0;

    connection->quiet_until_ms = 0;
    connection->deadline_ms =
        worker_now_ms(connection->worker) + (rest > 0 ? HEAD_TIMEOUT_MS : KEEP_ALIVE_TIMEOUT_MS);
    endpoint_watch(&client->endpoint, CLIENT_EVENTS);
    if (rest == 0) {
        client_forget_head(client);
        return;
    }
    head_replace(head, head->bytes + taken, rest);
    parse_head(connection);
}

uint64_t client_head_since(const struct connection *connection)
{
    bool between = connection->admitted && connection->client->head == NULL;

    return connection->deadline_ms - (between ? KEEP_ALIVE_TIMEOUT_MS : HEAD_TIMEOUT_MS);
}

void client_next(struct connection *connection)
{
    struct client *client = connection->client;

    client->asker = (struct asker){0};
    new_request_id(connection->worker, &client->asker);
    free(client->path);
    free(client->raw_path);
    free(client->seen);
    client->path = client->raw_path = client->seen = NULL;
    connection_set_state(connection, CONNECTION_HEAD);
    if (connection->quiet_until_ms == 0) {
        read_next(connection);
        return;
    }
    connection->deadline_ms = connection->quiet_until_ms + HEAD_TIMEOUT_MS;
    endpoint_watch(&client->endpoint, UV_DISCONNECT);
}

uint64_t client_tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    (void)now_s;
    if (connection->state == CONNECTION_HEAD && connection->quiet_until_ms != 0) {
        if (now_ms < connection->quiet_until_ms)
            return connection->quiet_until_ms;
        read_next(connection);
    }
    if (connection->deadline_ms == 0)
        return NOTHING_DUE;
    if (now_ms < connection->deadline_ms)
        return connection->deadline_ms;
    switch (connection->state) {
    case CONNECTION_HEAD:
        connection_drop(connection, REASON_REQUEST_TIMEOUT);
        break;
    case CONNECTION_ASKING:
        connection_drop(connection, REASON_ADMISSION_TIMEOUT);
        break;
    case CONNECTION_LINGERING:
        connection->deadline_ms = 0;
        client_end(connection);
        break;
    case CONNECTION_SERVED:
        break;
    }
    return 0;
}

static void hear(struct connection *connection, int status, int events)
{
    if (connection->state == CONNECTION_SERVED && connection->mode->client_ready != NULL)
        connection->mode->client_ready(connection, status, events);
    else if (status < 0 || (connection->state != CONNECTION_HEAD && (events & UV_DISCONNECT) != 0))
        connection_drop(connection, REASON_CLIENT_CLOSED);
    else if (connection->state != CONNECTION_HEAD)
        endpoint_watch(&connection->client->endpoint, UV_DISCONNECT); /* it is read later */
    else
        read_head(connection);
}

static void on_ready(struct endpoint *endpoint, int status, int events)
{
    struct client *client = (struct client *)endpoint;
    struct connection *connection = client->connection;
    struct worker *worker;

    if (connection == NULL)
        return;
    connection_wake(connection);
    worker = connection->worker;
    if (connection->state == CONNECTION_LINGERING)
        linger(client);
    else if (!cut_now(connection))
        hear(connection, status, events);
    held_check(worker);
}

static void nothing(struct connection *connection)
{
    (void)connection;
}

const struct connection_mode client_mode = {
    .drop = client_drop,
    .tick = client_tick,
    .request = client_ask,
    .release = client_end,
    .destroy = nothing,
};
