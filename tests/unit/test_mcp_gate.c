/*
 * The content gate of MCP over HTTP, without a socket: what each moment decides, and
 * whose MCP session an exchange may use.
 */
#include "worker/mcp/mcp.h"

#include "packs.h"
#include "unit.h"
#include "worker/client/members.h"
#include "worker/client/reports.h"
#include "worker/http/exchange.h"

#include <stdlib.h>
#include <string.h>

#define CALL                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}"
#define REFUSED "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-31403,"
#define RESULT  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"

/* A worker that tells nobody anything, and one connection of it. */
struct world {
    struct config config;
    struct surface surface;
    struct route route;
    struct worker worker;
    struct connection connection;
    struct client client;
    struct mcp_shared shared;
    struct content_gate gate;
    struct dialect *dialect;
    struct exchange exchange;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->dialect = pack_load("mcp");
    world->surface.limits.max_message_bytes = world->surface.limits.max_answer_bytes = 65536;
    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        world->surface.json_limits[i] = (struct json_limits){64, 4096, 4096, 4096, false};
    world->route.kind = ROUTE_MCP_HTTP;
    world->route.vocabulary = dialect_vocabulary(world->dialect, NULL);
    world->config.surfaces = &world->surface;
    world->config.surface_count = 1;
    world->worker.config = &world->config;
    world->worker.failed = true; /* nothing is sent any more */
    world->gate = mcp_gate(&world->shared);
    world->connection = (struct connection){.worker = &world->worker,
                                            .surface = &world->surface,
                                            .route = &world->route,
                                            .client = &world->client,
                                            .session_id = "one"};
    world->exchange.connection = &world->connection;
    world->exchange.gate = &world->gate;
    buffer_init(&world->exchange.text, 65536);
    if (worker_allocate(&world->worker) != OK)
        return -1;
    world->shared.sessions.quotas = world->worker.quotas;
    return members_join(&world->connection) ? 0 : -1;
}

static void end(struct world *world)
{
    world->gate.end(&world->exchange);
    buffer_clear(&world->exchange.text);
    head_destroy(world->client.head);
    world->client.head = NULL;
    free(world->client.seen);
    world->client.seen = NULL;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    end(world);
    mcp_shared_clear(&world->shared);
    reports_settle(&world->worker, true);
    members_leave(&world->connection);
    members_clear(&world->worker);
    worker_release(&world->worker);
    dialect_destroy(world->dialect);
    free(world->client.seen);
    free(world);
    return 0;
}

/* A request's head with these further lines. */
static struct gate_verdict begin(struct world *world, const char *method, const char *lines)
{
    struct head *head = head_create();
    char bytes[1024];
    int length = snprintf(bytes, sizeof(bytes), "%s /mcp HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                          method, lines);
    enum reason reason;

    end(world);
    head_replace(head, bytes, (size_t)length);
    assert_int_equal(http_request_parse(head->bytes, head->length, &head->request, &reason),
                     HTTP_COMPLETE);
    head->asked = (struct ipc_admit){.request = {.method = method, .path = "/mcp"}};
    world->client.head = head;
    assert_true(
        reason_allows(http_body_of_request(&head->request, true, &world->exchange.request_body)));
    return world->gate.request_begins(&world->exchange);
}

static struct gate_verdict post(struct world *world, const char *lines, const char *body)
{
    char all[512];

    snprintf(all, sizeof(all), "Content-Type: application/json\r\nContent-Length: %zu\r\n%s",
             strlen(body), lines);
    if (begin(world, "POST", all).action != GATE_HOLD)
        return gate_drop(REASON_INTERNAL);
    return world->gate.request_whole(&world->exchange, span_of(body));
}

static struct gate_verdict answer(struct world *world, const char *head, const char *body)
{
    struct http_response response;
    struct gate_verdict verdict;

    assert_int_equal(http_response_parse(head, strlen(head), &response), HTTP_COMPLETE);
    assert_true(reason_allows(
        http_body_of_response(&response, span_of("POST"), &world->exchange.answer_body)));
    verdict = world->gate.answer_begins(&world->exchange, &response);
    return verdict.action == GATE_HOLD
               ? world->gate.answer_whole(&world->exchange, &response, span_of(body))
               : verdict;
}

#define JSON_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"

TEST_BETWEEN(test_call_and_result, set_up, tear_down)
{
    struct world *world = *state;
    struct gate_verdict verdict = post(world, "", CALL);

    assert_int_equal(verdict.action, GATE_PASS);
    verdict = answer(world, JSON_ANSWER "\r\n", RESULT);
    assert_int_equal(verdict.action, GATE_SEND);
    assert_int_equal(verdict.text.length, strlen(RESULT));
    /* The same answer once more answers nothing. */
    verdict = answer(world, JSON_ANSWER "\r\n", RESULT);
    assert_int_equal(verdict.action, GATE_DROP);
    assert_int_equal(verdict.reason, REASON_ANSWER_REFUSED);
}

TEST_BETWEEN(test_refused_call, set_up, tear_down)
{
    struct world *world = *state;
    struct text_list none = {NULL, 0};
    struct gate_verdict verdict;

    world->surface.allow_targets_set = true;
    world->surface.allow_targets = none;
    verdict = post(world, "", CALL);
    assert_int_equal(verdict.action, GATE_ANSWER);
    assert_int_equal(verdict.reason, REASON_TARGET_REFUSED);
    assert_string_equal(verdict.type, "application/json");
    assert_memory_equal(verdict.text.data, REFUSED, sizeof(REFUSED) - 1);
    assert_int_equal(world->worker.surfaces[0].refused, 1);
}

TEST_BETWEEN(test_heads_that_cannot_be_vetted, set_up, tear_down)
{
    struct world *world = *state;

    assert_int_equal(begin(world, "POST", "Content-Length: 2\r\n").reason, REASON_TYPE_MISSING);
    assert_int_equal(begin(world, "POST",
                           "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
                           "Content-Length: 2\r\n")
                         .reason,
                     REASON_CONTENT_ENCODING);
    assert_int_equal(begin(world, "GET", "Content-Length: 2\r\n").reason, REASON_BODY_UNEXPECTED);
    assert_int_equal(begin(world, "GET", "Mcp-Name: a\r\nMcp-Name: b\r\n").reason,
                     REASON_HEADER_DUPLICATE);
    assert_int_equal(begin(world, "GET", "").action, GATE_PASS);
}

/* It belongs to whoever opened it; for all others it is not there. */
TEST_BETWEEN(test_session, set_up, tear_down)
{
    struct world *world = *state;
    struct gate_verdict verdict = post(world, "", CALL);

    assert_int_equal(verdict.action, GATE_PASS);
    assert_int_equal(answer(world, JSON_ANSWER "Mcp-Session-Id: s1\r\n\r\n", RESULT).action,
                     GATE_SEND);
    assert_int_equal(begin(world, "GET", "Mcp-Session-Id: s1\r\n").action, GATE_PASS);
    strcpy(world->connection.session_id, "two");
    verdict = begin(world, "GET", "Mcp-Session-Id: s1\r\n");
    assert_int_equal(verdict.action, GATE_ANSWER);
    assert_int_equal(verdict.reason, REASON_MCP_SESSION_UNKNOWN);
    assert_int_equal(verdict.status, 404);
    /* Its end, as the service tells it. */
    strcpy(world->connection.session_id, "one");
    assert_int_equal(begin(world, "DELETE", "Mcp-Session-Id: s1\r\n").action, GATE_PASS);
    assert_int_equal(answer(world, "HTTP/1.1 204 No Content\r\n\r\n", "").action, GATE_PASS);
    assert_int_equal(begin(world, "GET", "Mcp-Session-Id: s1\r\n").reason,
                     REASON_MCP_SESSION_UNKNOWN);
}

TEST_BETWEEN(test_answers, set_up, tear_down)
{
    static const struct {
        const char *head, *body;
        enum gate_action action;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", "", GATE_PIECES},
        {"HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n",
         "Accepted", GATE_DROP}, /* nobody would answer the request any more */
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n", "",
         GATE_DROP},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n", "[",
         GATE_DROP},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n", "hi",
         GATE_DROP},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: br\r\n"
         "Content-Length: 2\r\n\r\n",
         "{}", GATE_DROP},
        {"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n", "no",
         GATE_PASS},
        {"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
         "{\"e\":1}", GATE_SEND},
        {"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
         "{\"result\":1}", GATE_ANSWER},
        {"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
         "[]", GATE_ANSWER},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(post(world, "", CALL).action, GATE_PASS);
        assert_int_equal(answer(world, cases[i].head, cases[i].body).action, cases[i].action);
    }
}

/* Nobody waits for an answer to a notification: whatever a service says to it goes no further. */
TEST_BETWEEN(test_notification, set_up, tear_down)
{
    static const struct {
        const char *head, *body;
        enum gate_action action;
        unsigned status;
    } cases[] = {
        {"HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n",
         "Accepted", GATE_SEND, 0},
        {"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n",
         "null", GATE_SEND, 0},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n", "{}",
         GATE_ANSWER, 202},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n", RESULT,
         GATE_ANSWER, 202},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n", "<p>",
         GATE_ANSWER, 202},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gate_verdict verdict;

        assert_int_equal(
            post(world, "", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}")
                .action,
            GATE_PASS);
        verdict = answer(world, cases[i].head, cases[i].body);
        assert_int_equal(verdict.action, cases[i].action);
        assert_int_equal(verdict.status, cases[i].status);
        assert_int_equal(verdict.text.length, 0);
    }
}

/* What is told instead of an answer names the request, once. */
TEST_BETWEEN(test_fails, set_up, tear_down)
{
    static const char lost[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-31404,";
    struct world *world = *state;
    struct gate_verdict verdict;

    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    world->exchange.phase = EXCHANGE_SENDING;
    verdict = world->gate.fails(&world->exchange, REASON_SESSION_REVOKED);
    assert_int_equal(verdict.action, GATE_ANSWER);
    assert_int_equal(verdict.status, 200);
    assert_memory_equal(verdict.text.data, lost, sizeof(lost) - 1);
    verdict = world->gate.fails(&world->exchange, REASON_SESSION_REVOKED);
    assert_int_equal(verdict.action, GATE_DROP);

    /* The service has not heard of it: as if it had not been admitted. */
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    world->exchange.phase = EXCHANGE_DIALLING;
    assert_int_equal(world->gate.fails(&world->exchange, REASON_SESSION_REVOKED).action, GATE_DROP);
    assert_int_equal(world->gate.fails(&world->exchange, REASON_UPSTREAM_UNREACHABLE).action,
                     GATE_ANSWER);

    /* Nobody is there to be told. */
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    world->exchange.phase = EXCHANGE_SENDING;
    assert_int_equal(world->gate.fails(&world->exchange, REASON_CLIENT_CLOSED).action, GATE_DROP);
    assert_int_equal(world->exchange.text.length, 0);

    /* On a stream, as an event at its end. */
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    buffer_reset(&world->exchange.text);
    world->exchange.phase = EXCHANGE_ANSWERING;
    world->exchange.answer_begun = true;
    world->exchange.answer = GATE_PIECES;
    verdict = world->gate.fails(&world->exchange, REASON_MESSAGE_TOO_BIG);
    assert_int_equal(verdict.action, GATE_SEND);
    assert_non_null(strstr(verdict.text.data, "data: " REFUSED));
    world->exchange.answer_begun = false;
}

/* A service that has but one id: its owner begins anew, and nobody else has it. */
TEST_BETWEEN(test_constant_id, set_up, tear_down)
{
    static const char opens[] = JSON_ANSWER "Mcp-Session-Id: one\r\n\r\n";
    static const char twice[] = JSON_ANSWER "Mcp-Session-Id: one\r\nmcp-session-id: one\r\n\r\n";
    static const char differ[] = JSON_ANSWER "Mcp-Session-Id: one\r\nMcp-Session-Id: o\r\n\r\n";
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(post(world, "", CALL).action, GATE_PASS);
        assert_int_equal(answer(world, i == 1 ? twice : opens, RESULT).action, GATE_SEND);
    }
    assert_int_equal(world->shared.sessions.by_id.count, 1);
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    assert_int_equal(answer(world, differ, RESULT).reason, REASON_ANSWER_DUPLICATE);
    strcpy(world->connection.session_id, "two");
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    assert_int_equal(answer(world, opens, RESULT).reason, REASON_MCP_SESSION_TAKEN);
    /* Unless its time is over, which nobody tells the worker. */
    strcpy(world->connection.session_id, "one");
    world->connection.expires_at = 1;
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    assert_int_equal(answer(world, opens, RESULT).action, GATE_SEND);
    strcpy(world->connection.session_id, "two");
    world->connection.expires_at = INT64_MAX;
    assert_int_equal(post(world, "", CALL).action, GATE_PASS);
    assert_int_equal(answer(world, opens, RESULT).action, GATE_SEND);
    mcp_sessions_end_surface(&world->shared.sessions, 1);
    assert_int_equal(world->shared.sessions.by_id.count, 1);
    mcp_sessions_end_surface(&world->shared.sessions, 0);
    assert_int_equal(world->shared.sessions.by_id.count, 0);
    strcpy(world->connection.session_id, "one");
}
