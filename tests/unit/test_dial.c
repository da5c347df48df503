/*
 * dial.c: a link for HTTP, and what the broker itself writes on it; and inbox.c:
 * what a worker may say, and when.
 */
#define FIXTURE_STUDIO_KEYS                                                                        \
    ",\"routes\":[{\"path\":\"/ws\",\"kind\":\"websocket\"},"                                      \
    "{\"path\":\"/plain/{id}\",\"kind\":\"http\",\"methods\":[\"GET\",\"POST\"]},"                 \
    "{\"path\":\"/inject\",\"kind\":\"http\",\"methods\":[\"GET\"],\"query\":{"                    \
    "\"pass\":{\"a\":\"[0-9]{1,4}\"},\"inject\":{\"env\":{\"from\":\"/env/"                        \
    "KEY\",\"encoding\":\"text\"}}}},"                                                             \
    "{\"path\":\"/body\",\"kind\":\"http\",\"methods\":[\"POST\"],"                                \
    "\"body\":{\"member\":\"server_params\",\"from\":\"\"}}]"
#include "operations_fixture.h"

#include "broker/admission/takers.h"
#include "broker/admission/upstream.h"
#include "broker/core/workers.h"
#include "policy/params.h"
#include "system/caller.h"
#include "wire/http_body.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WORKER     3
#define CONNECTION 77
#define GENERATION 5

static const struct incarnation worker = {WORKER, GENERATION};

struct service {
    int listening;
    unsigned char message[IPC_MESSAGE_BYTES_MAX];
    struct ipc_link link; /* what the worker was told last */
    int fd;               /* and given; -1: none */
    size_t told, verdicts, ready;
    char session[TOKEN_ID_SIZE];
};

static struct service service;

void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd)
{
    (void)workers;
    if (type == IPC_VERDICT) {
        assert_int_equal(fd, -1);
        service.verdicts++;
        return;
    }
    assert_int_equal(type, IPC_LINK);
    assert_int_equal(to.worker, WORKER);
    assert_int_equal(to.generation, GENERATION);
    service.link = *(const struct ipc_link *)message;
    service.fd = fd;
    service.told++;
}

void workers_take_ready(struct workers *workers, struct incarnation from, const struct proof *proof)
{
    (void)proof;
    (void)workers;
    assert_int_equal(from.worker, WORKER);
    service.ready++;
}

static void listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    service.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(service.listening >= 0);
    assert_int_equal(bind(service.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(service.listening, 16), 0);
}

/* Where the connection that was granted came in, as its Host has it. */
static const struct surface_listener public_listener = {.host = "127.0.0.1", .port = 8081};

/* Another client of the surface, as the kernel has it. */
static struct {
    struct surface_listener listener;
    int own, accepted;
} client;

static void connect_client(struct broker_fixture *fixture)
{
    struct listener listeners[2];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t count;
    char why[WHY_SIZE];

    assert_int_equal(listener_open("127.0.0.1", 0, listeners, &count, why), OK);
    client.listener = (struct surface_listener){.fd = listeners[0].fd, .port = listeners[0].port};
    snprintf(client.listener.host, sizeof(client.listener.host), "127.0.0.1");
    address.sin_port = htons(listeners[0].port);
    client.own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client.own, (struct sockaddr *)&address, sizeof(address)), 0);
    client.accepted = accept4(listeners[0].fd, NULL, NULL, SOCK_CLOEXEC);
    fixture->gate.surfaces.items[0].listeners = &client.listener;
    fixture->gate.surfaces.items[0].listener_count = 1;
    assert_int_equal(caller_lookup_create(&fixture->gate.callers), OK);
}

/* The connection that tests speak of, if a test has ended it. */
static int keep_granted(struct broker_fixture *fixture)
{
    struct connection_entry entry = {.worker = worker,
                                     .connection = CONNECTION,
                                     .listener = &public_listener,
                                     .caller_known = true,
                                     .caller_uid = 1000};
    enum error error;

    entry.surface = &fixture->gate.surfaces.items[0];
    memcpy(entry.session_id, service.session, sizeof(entry.session_id));
    error = connections_add(&fixture->gate.connections, &entry);
    return error == OK || error == ERROR_EXISTS ? 0 : -1;
}

/* A service, a session with a record, and a connection that was granted to it. */
static int set_up(void **state)
{
    struct broker_fixture *fixture;

    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    service.told = 0;
    service.fd = -1;
    listen_at(fixture->config->surfaces[0].upstream_socket);
    assert_int_equal(put(fixture, "record", "studio", RECORD), OK);
    assert_int_equal(create(fixture,
                            &(struct wish){{.surface = "studio", .params_name = "record"}, 60},
                            service.session, NULL),
                     OK);
    connect_client(fixture);
    return keep_granted(fixture);
}

static int tear_down(void **state)
{
    struct broker_fixture *fixture = *state;

    close(client.own);
    close(client.accepted);
    close(client.listener.fd);
    caller_lookup_destroy(fixture->gate.callers);
    if (service.fd >= 0)
        close(service.fd);
    close(service.listening);
    return broker_fixture_drop(state);
}

static struct ipc_dial dial_of(const char *method, const char *path)
{
    return (struct ipc_dial){.connection = CONNECTION,
                             .request_id = "0123456789abcdef",
                             .method = method,
                             .path = path,
                             .host = "localhost:8081"};
}

static enum error say(struct broker_fixture *fixture, struct incarnation from, enum ipc_state state,
                      const void *bytes, size_t length)
{
    return inbox_take(&fixture->gate, from,
                      &(struct workers_message){
                          .state = state,
                          .bytes = bytes,
                          .length = length,
                          .fd = ipc_type_of(bytes, length) == IPC_ADMIT ? client.accepted : -1});
}

static enum error dial(struct broker_fixture *fixture, const struct ipc_dial *dial)
{
    struct ipc_writer writer = {.bytes = service.message};

    if (service.fd >= 0)
        close(service.fd);
    service.fd = -1;
    ipc_encode(&writer, IPC_DIAL, dial);
    assert_false(writer.failed);
    return say(fixture, worker, IPC_RUNNING, writer.bytes, writer.length);
}

/* The worker is told no more than why not, and gets nothing; the service is not even dialled. */
static void expect_refused(struct broker_fixture *fixture, const struct ipc_dial *asked,
                           enum reason reason)
{
    size_t told = service.told;

    assert_int_equal(dial(fixture, asked), OK);
    assert_int_equal(service.told, told + 1);
    assert_string_equal(reason_info(service.link.reason)->code, reason_info(reason)->code);
    assert_int_equal(service.link.connection, asked->connection);
    assert_int_equal(service.fd, -1);
    assert_int_equal(accept4(service.listening, NULL, NULL, SOCK_CLOEXEC), -1);
}

/* A link on which the service reads exactly this. */
static void expect_link(struct broker_fixture *fixture, const struct ipc_dial *asked,
                        const char *text)
{
    char received[4096] = "";
    ssize_t length;
    int fd;

    assert_int_equal(dial(fixture, asked), OK);
    assert_string_equal(reason_info(service.link.reason)->code, "allowed");
    assert_true(service.fd >= 0);
    fd = accept4(service.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    length = recv(fd, received, sizeof(received) - 1, 0);
    assert_string_equal(received, text);
    assert_true(text[0] == '\0' ? length < 0 : length == (ssize_t)strlen(text));
    close(fd);
}

static void expect_protocol_broken(struct broker_fixture *fixture, const struct ipc_dial *asked)
{
    size_t told = service.told;

    assert_int_equal(dial(fixture, asked), ERROR_SYNTAX);
    assert_int_equal(service.told, told);
    assert_int_equal(service.fd, -1);
    assert_int_equal(accept4(service.listening, NULL, NULL, 0), -1);
}

#define DIAL_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

DIAL_TEST(test_plain)
{
    struct ipc_dial asked = dial_of("GET", "/plain/1");

    expect_link(*state, &asked, "");
    asked.method = "POST";
    expect_link(*state, &asked, "");
    asked.method = "HEAD";
    expect_link(*state, &asked, "");
    asked.method = "DELETE";
    expect_refused(*state, &asked, REASON_METHOD_REFUSED);
    asked = dial_of("GET", "/nowhere");
    expect_refused(*state, &asked, REASON_ROUTE_UNKNOWN);
    /* An upgrade's link comes with its verdict, never like this. */
    asked = dial_of("GET", "/ws");
    expect_refused(*state, &asked, REASON_ROUTE_UNKNOWN);
}

/* Whoever asks without a grant is no worker of ours. */
DIAL_TEST(test_without_a_grant)
{
    struct broker_fixture *fixture = *state;
    struct ipc_dial asked = dial_of("GET", "/plain/1");
    const struct incarnation next = {WORKER, GENERATION + 1};
    struct ipc_writer writer = {.bytes = service.message};

    asked.connection = CONNECTION + 1;
    expect_protocol_broken(fixture, &asked);
    asked = dial_of("GET", "/plain/1");
    asked.surface = 1;
    expect_protocol_broken(fixture, &asked);
    asked.surface = 2;
    expect_protocol_broken(fixture, &asked);
    asked = dial_of("GET", "/plain/1");
    /* Another process in the same place was granted nothing. */
    ipc_encode(&writer, IPC_DIAL, &asked);
    assert_int_equal(say(fixture, next, IPC_RUNNING, writer.bytes, writer.length), ERROR_SYNTAX);
    connections_remove(&fixture->gate.connections,
                       connections_find(&fixture->gate.connections, worker, CONNECTION));
    expect_protocol_broken(fixture, &asked);
    assert_int_equal(say(fixture, worker, IPC_RUNNING, service.message, 3), ERROR_SYNTAX);
}

DIAL_TEST(test_grant_that_has_ended)
{
    struct broker_fixture *fixture = *state;
    struct ipc_dial asked = dial_of("GET", "/plain/1");

    fixture->gate.surfaces.items[0].killed = true;
    expect_refused(fixture, &asked, REASON_SURFACE_KILLED);
    fixture->gate.surfaces.items[0].killed = false;
    expect_link(fixture, &asked, "");
    /* A reload put another in its place; what is left at this worker is still heard. */
    fixture->gate.surfaces.items[0].leaving = true;
    fixture->gate.surfaces.items[0].awaited = UINT32_C(1) << WORKER;
    expect_refused(fixture, &asked, REASON_SURFACE_CHANGED);
    fixture->gate.surfaces.items[0].awaited = 0;
    expect_protocol_broken(fixture, &asked);
    fixture->gate.surfaces.items[0].leaving = false;
    expect_link(fixture, &asked, "");
    assert_int_equal(put(fixture, "record", "studio", OTHER), OK);
    expect_refused(fixture, &asked, REASON_PARAMS_CHANGED);
    assert_int_equal(put(fixture, "record", "studio", RECORD), OK);
    expect_link(fixture, &asked, "");
    fixture_now += 59;
    expect_link(fixture, &asked, "");
    fixture_now += 1;
    expect_refused(fixture, &asked, REASON_SESSION_EXPIRED);
    fixture_now -= 60;
    assert_int_equal(KEPT(fixture->gate.store, store_session_revoke, service.session, fixture_now),
                     OK);
    expect_refused(fixture, &asked, REASON_SESSION_REVOKED);
}

DIAL_TEST(test_no_service)
{
    struct broker_fixture *fixture = *state;
    struct ipc_dial asked = dial_of("GET", "/plain/1");

    close(service.listening);
    service.listening = -1;
    expect_refused(fixture, &asked, REASON_UPSTREAM_UNREACHABLE);
}

DIAL_TEST(test_injected_query)
{
    struct ipc_dial asked = dial_of("GET", "/inject");

    asked.fields = "Accept: */*\r\n";
    expect_link(*state, &asked,
                "GET /inject?env=" SECRET
                " HTTP/1.1\r\nHost: localhost:8081\r\nAccept: */*\r\n\r\n");
    asked.query = "env=mine&a=12&b=3";
    expect_link(*state, &asked,
                "GET /inject?a=12&env=" SECRET
                " HTTP/1.1\r\nHost: localhost:8081\r\nAccept: */*\r\n\r\n");
    asked.query = "a=x";
    expect_refused(*state, &asked, REASON_QUERY_INVALID);
    asked.query = "a=1";
    asked.fields = "";
    expect_link(*state, &asked,
                "GET /inject?a=1&env=" SECRET " HTTP/1.1\r\nHost: localhost:8081\r\n\r\n");
}

DIAL_TEST(test_stored_body)
{
    struct ipc_dial asked = dial_of("POST", "/body");
    struct params *params;
    char digest[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];

    assert_int_equal(params_parse(RECORD, strlen(RECORD), &params), OK);
    assert_int_equal(params_part_digest(params, "", digest), OK);
    params_destroy(params);
    assert_int_equal(params_parse(OTHER, strlen(OTHER), &params), OK);
    assert_int_equal(params_part_digest(params, "", other), OK);
    params_destroy(params);
    asked.fields = "Content-Type: application/json\r\n";
    asked.body_value = digest;
    expect_link(*state, &asked,
                "POST /body HTTP/1.1\r\nHost: localhost:8081\r\nContent-Type: application/json\r\n"
                "Content-Length: 73\r\n\r\n"
                "{\"server_params\":" RECORD "}");
    asked.body_value = other;
    expect_refused(*state, &asked, REASON_VALUE_MISMATCH);
    asked.body_value = "";
    expect_refused(*state, &asked, REASON_VALUE_MISMATCH);
    asked.body_value = NULL;
    expect_refused(*state, &asked, REASON_VALUE_MISMATCH);
}

/* A single-use session has one request with stored values, whatever the worker asks. */
DIAL_TEST(test_once)
{
    struct broker_fixture *fixture = *state;
    struct ipc_dial asked = dial_of("GET", "/inject");

    asked.fields = "";
    for (size_t i = 0; i < 2; i++) /* of any other session, as many as it likes */
        expect_link(fixture, &asked,
                    "GET /inject?env=" SECRET " HTTP/1.1\r\nHost: localhost:8081\r\n\r\n");
    assert_int_equal(
        create(fixture,
               &(struct wish){{.surface = "studio", .params_name = "record", .once = true}, 60},
               service.session, NULL),
        OK);
    connections_remove(&fixture->gate.connections,
                       connections_find(&fixture->gate.connections, worker, CONNECTION));
    assert_int_equal(keep_granted(fixture), 0);
    expect_link(fixture, &asked,
                "GET /inject?env=" SECRET " HTTP/1.1\r\nHost: localhost:8081\r\n\r\n");
    expect_refused(fixture, &asked, REASON_SESSION_USED);
    expect_refused(fixture, &asked, REASON_SESSION_USED);
}

/*
 * A worker that was taken over says neither a second request behind the first one's head, nor
 * how the body is framed, nor to whom the request goes, nor what stays with one connection.
 */
DIAL_TEST(test_fields)
{
    static const char *const bad[] = {
        "A: b\n",
        "A: b\nB: c\r\n",
        "A: b",
        "A: b\rB: c\r\n",
        " A: b\r\n",
        "A : b\r\n",
        "A:b\r\n",
        "A:  b\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: other\r\n",
        "Connection: close\r\n",
        "Upgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "Authorization: Bearer mine\r\n",
        "X-Forwarded-For: 10.0.0.1\r\n",
        "Origin: http://evil.example\r\n",
        "Cookie: sidelock-login=x\r\n",
        "\r\n",
        "\r\nGET /admin HTTP/1.1\r\n\r\n",
        "A: b\r\n\r\n",
        "A: b\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n",
    };
    struct ipc_dial asked = dial_of("GET", "/inject");

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        asked.fields = bad[i];
        expect_protocol_broken(*state, &asked);
    }
    asked.fields = "Origin: http://localhost:8081\r\nCookie: a=b; c=d\r\n";
    expect_link(*state, &asked,
                "GET /inject?env=" SECRET " HTTP/1.1\r\nHost: localhost:8081\r\n"
                "Origin: http://localhost:8081\r\nCookie: a=b; c=d\r\n\r\n");
}

/* The same of all that stands in front of the fields, or says what is written at all. */
DIAL_TEST(test_words)
{
    static const struct {
        const char *method, *path, *query, *host, *request_id;
    } bad[] = {
        {.query = "a=1 HTTP/1.1\r\nContent-Length: 9\r\n\r\n"},
        {.query = "a=1\nb"},
        {.query = "a=1 b"},
        {.query = "a=1#b"},
        {.query = "a=\xc3"},
        {.path = "/inject/../body"},
        {.path = "/inject/."},
        {.path = "/inject//x"},
        {.path = "inject"},
        {.path = ""},
        {.path = "/inject?x"},
        {.path = "/inject\r\nA: b"},
        {.path = "/inject%2"},
        {.path = "/inject%00"},
        {.path = "/inject\\"},
        {.path = "/inject\xc3"},
        {.method = "GET /x HTTP/1.1\r\nA: b"},
        {.method = ""},
        {.host = "localhost\r\nA: b"},
        {.host = "evil.example"},
        {.host = "localhost:9999"},
        {.host = ""},
        {.request_id = "0123456789abcde"},
        {.request_id = "0123456789abcde\n"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ipc_dial asked = dial_of(bad[i].method != NULL ? bad[i].method : "GET",
                                        bad[i].path != NULL ? bad[i].path : "/inject");

        asked.fields = "";
        asked.query = bad[i].query;
        asked.host = bad[i].host != NULL ? bad[i].host : asked.host;
        asked.request_id = bad[i].request_id != NULL ? bad[i].request_id : asked.request_id;
        expect_protocol_broken(*state, &asked);
    }
}

/* Nothing is written where the worker may write itself; a body follows only where one may. */
DIAL_TEST(test_nothing_to_write)
{
    struct ipc_dial asked = dial_of("POST", "/plain/1");

    asked.fields = "";
    expect_protocol_broken(*state, &asked);
    asked = dial_of("GET", "/inject");
    asked.fields = "";
    asked.body = HTTP_BODY_LENGTH;
    asked.body_bytes = 5;
    expect_protocol_broken(*state, &asked);
    asked = dial_of("POST", "/body");
    asked.fields = "";
    asked.body = HTTP_BODY_CHUNKED;
    expect_protocol_broken(*state, &asked);
    asked = dial_of("POST", "/plain/1");
    asked.body = HTTP_BODY_CHUNKED;
    expect_protocol_broken(*state, &asked);
}

/* A message of each type that is in order. */
static void encode(struct ipc_writer *writer, enum ipc_type type)
{
    const struct ipc_admit admit = {.connection = CONNECTION + 1,
                                    .request_id = "0123456789abcdef",
                                    .request.method = "GET",
                                    .request.raw_path = "/",
                                    .request.host = "x"};
    const struct ipc_dial asked = dial_of("GET", "/plain/1");
    const struct ipc_closed closed = {.connection = CONNECTION, .opened = true};
    const struct ipc_refused refused = {.connection = CONNECTION};
    const union {
        struct ipc_ready ready;
        struct ipc_verdict verdict;
        struct ipc_link link;
        struct ipc_cut_session cut_session;
        struct ipc_cut_surface cut_surface;
        struct ipc_denied denied;
        struct ipc_counts counts;
    } zero = {0};
    const struct ipc_config config = {{0}};
    const struct ipc_vacated vacated = {.surface = IPC_SURFACES_MAX};
    const struct ipc_extend extend = {.session_id = "s"};
    const struct ipc_suppressed suppressed = {.session_id = service.session};
    const struct ipc_tls tls = {.certificate = "c", .key = "k"};
    const void *const messages[IPC_TYPE_COUNT] = {
        [IPC_ADMIT] = &admit,           [IPC_DIAL] = &asked,       [IPC_CLOSED] = &closed,
        [IPC_VERDICT] = &zero,          [IPC_LINK] = &zero,        [IPC_CUT_SESSION] = &zero,
        [IPC_DENIED] = &zero,           [IPC_CUT_SURFACE] = &zero, [IPC_REFUSED] = &refused,
        [IPC_EXTEND] = &extend,         [IPC_TLS] = &tls,          [IPC_COUNTS] = &zero,
        [IPC_SUPPRESSED] = &suppressed, [IPC_LISTEN] = &zero,      [IPC_CONFIG] = &config,
        [IPC_VACATED] = &vacated,       [IPC_READY] = &zero,       [IPC_VITALS] = &zero,
        [IPC_SCRAPED] = &zero,
    };

    writer->length = 0;
    ipc_encode(writer, type, messages[type]);
    assert_false(writer->failed);
}

/* The table of messages.h, written out: what may not be said now is a fault, however well said. */
DIAL_TEST(test_states)
{
    struct broker_fixture *fixture = *state;
    struct ipc_writer writer = {.bytes = service.message};
    uv_loop_t *loop = &fixture->gate.loop;

    assert_int_equal(uv_loop_init(loop), 0);
    service.ready = service.verdicts = 0;
    for (enum ipc_type type = IPC_NONE + 1; type < IPC_TYPE_COUNT; type++) {
        bool report = type == IPC_DENIED || type == IPC_REFUSED || type == IPC_SUPPRESSED ||
                      type == IPC_CLOSED || type == IPC_COUNTS || type == IPC_VITALS;
        bool question = type == IPC_ADMIT || type == IPC_DIAL;

        encode(&writer, type);
        keep_granted(fixture);
        for (enum ipc_state at = IPC_STARTING; at <= IPC_DRAINING; at++) {
            bool good = at == IPC_STARTING ? type == IPC_READY : question || report;

            assert_int_equal(say(fixture, worker, at, writer.bytes, writer.length),
                             good ? OK : ERROR_SYNTAX);
            keep_granted(fixture);
        }
    }
    assert_int_equal(service.ready, 1);
    assert_int_equal(service.verdicts, 1); /* while it drains, nobody waits for an answer */
    assert_int_equal(service.told, 1);
    encode(&writer, IPC_READY);
    assert_int_equal(say(fixture, worker, IPC_STARTING, writer.bytes, writer.length + 1),
                     ERROR_SYNTAX);
    writer.bytes[0] = IPC_NONE;
    assert_int_equal(say(fixture, worker, IPC_RUNNING, writer.bytes, 1), ERROR_SYNTAX);
    assert_int_equal(service.ready, 1);
    uv_loop_close(loop);
}

/* A service that hangs up before it is written to has done the same as one that does so after:
 * what it had said is read. */
TEST(test_gone_before_it_is_written_to)
{
    struct buffer bytes;
    char said[8];
    int ends[2];

    buffer_init(&bytes, 64);
    buffer_append_text(&bytes, "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[1], "no", 2, 0), 2);
    close(ends[1]);
    assert_int_equal(upstream_write(ends[0], &bytes), REASON_ALLOWED);
    assert_int_equal(recv(ends[0], said, sizeof(said), 0), 2);
    assert_int_equal(recv(ends[0], said, sizeof(said), 0), 0);
    close(ends[0]);
    buffer_clear(&bytes);
}
