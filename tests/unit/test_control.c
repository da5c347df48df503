/* control/control.c, http.c and socket.c: the control socket itself, with a real client. */
#include "broker_fixture.h"
#include "system/access_list.h"

#include "broker/control/control.h"
#include "broker/control/http.h"
#include "broker/control/routes.h"
#include "broker/core/lanes.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define ANSWER_BYTES  (1024 * 1024)
#define CLIENT_WAIT_S 5
#define STRANGER      65534 /* a uid that operates nothing */
#define CROWD         (CONTROL_CONNECTIONS_MAX + 4)

static uv_loop_t *loop; /* the gate's */
static struct control *control;

static int connect_to(const struct broker_fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = CLIENT_WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->config->control_socket);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return fd;
}

/* One client in a thread of its own: sends, shuts its side if asked, reads to the end. */
struct client {
    const struct broker_fixture *fixture;
    const char *bytes;
    size_t length;
    bool half_close;
    char answer[ANSWER_BYTES];
    size_t answer_length;
    bool closed; /* by the other side, not given up on */
    uv_async_t *done;
};

static void *run_client(void *argument)
{
    struct client *client = argument;
    int fd = connect_to(client->fixture);
    ssize_t got = -1;

    if (fd >= 0) {
        if (send(fd, client->bytes, client->length, MSG_NOSIGNAL) < 0)
            client->answer_length = 0;
        if (client->half_close)
            shutdown(fd, SHUT_WR);
        while (client->answer_length < ANSWER_BYTES - 1 &&
               (got = recv(fd, client->answer + client->answer_length,
                           ANSWER_BYTES - 1 - client->answer_length, 0)) > 0)
            client->answer_length += (size_t)got;
        client->closed = got == 0 || errno == ECONNRESET;
        close(fd);
    }
    client->answer[client->answer_length] = '\0';
    uv_async_send(client->done);
    return NULL;
}

static void on_done(uv_async_t *handle)
{
    uv_stop(handle->loop);
}

/* Serves one client until it is done; its answer, in static memory. */
static const char *converse(struct broker_fixture *fixture, const char *bytes, size_t length,
                            bool half_close)
{
    static struct client client;
    uv_async_t done;
    pthread_t thread;

    client = (struct client){.fixture = fixture,
                             .bytes = bytes,
                             .length = length,
                             .half_close = half_close,
                             .done = &done};
    assert_int_equal(uv_async_init(loop, &done, on_done), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
    uv_run(loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    uv_close((uv_handle_t *)&done, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    assert_true(client.closed);
    return client.answer;
}

static const char *ask(struct broker_fixture *fixture, const char *request)
{
    return converse(fixture, request, strlen(request), false);
}

static void expect_status(struct broker_fixture *fixture, const char *request, const char *status)
{
    const char *answer = ask(fixture, request);

    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0)
        fail_msg("%.40s... was not answered with %s but: %.80s", request, status, answer);
}

static uv_poll_t polls[3]; /* of the threads that work for the gate */

static int setup(void **state)
{
    struct broker_fixture *fixture;

    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    loop = &fixture->gate.loop;
    if (uv_loop_init(loop) != 0 ||
        lanes_watch(loop, &polls[0], store_writes(fixture->gate.store)) != OK ||
        lanes_watch(loop, &polls[1], store_searches(fixture->gate.store)) != OK ||
        lanes_watch(loop, &polls[2], executables_lane(fixture->gate.executables)) != OK)
        return -1;
    return control_create(&fixture->gate, &control) == OK ? 0 : -1;
}

/* Everything that control_create opened on the loop must be closed by control_destroy. */
static int teardown(void **state)
{
    control_destroy(control);
    for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++)
        uv_close((uv_handle_t *)&polls[i], NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    if (uv_loop_close(loop) != 0) {
        print_error("handles were left on the loop\n");
        return -1;
    }
    return broker_fixture_drop(state);
}

#define CONTROL_TEST(test) TEST_BETWEEN(test, setup, teardown)

static mode_t mode_of(const char *path)
{
    struct stat facts;

    assert_int_equal(lstat(path, &facts), 0);
    return facts.st_mode;
}

CONTROL_TEST(test_socket_is_private)
{
    struct broker_fixture *fixture = *state;
    char directory[TEMPORARY_PATH_SIZE + 16];

    snprintf(directory, sizeof(directory), "%s/control", fixture->root);
    assert_int_equal(mode_of(directory), S_IFDIR | 0700);
    assert_int_equal(mode_of(fixture->config->control_socket), S_IFSOCK | 0600);
}

CONTROL_TEST(test_answers)
{
    struct broker_fixture *fixture = *state;
    static const char create[] = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
                                 "\r\n{\"surface\":\"studio\"}";
    const char *answer = ask(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(answer, "\"name\":\"studio\""));
    assert_non_null(strstr(ask(fixture, create), "HTTP/1.1 201 Created\r\n"));
    answer = converse(fixture, create, sizeof(create) - 1, true);
    assert_non_null(strstr(answer, "HTTP/1.1 201 Created\r\n"));
    expect_status(fixture, "POST /v1/surfaces/studio/kill HTTP/1.1\r\nHost: x\r\n\r\n", "200");
    expect_status(fixture, "DELETE /v1/sessions?surface=studio HTTP/1.1\r\nHost: x\r\n\r\n", "200");
    expect_status(fixture, "GET /v1/register?format=md HTTP/1.1\r\nHost: x\r\n\r\n", "200");
}

CONTROL_TEST(test_one_request_a_connection)
{
    struct broker_fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
                                      "POST /v1/surfaces/studio/kill HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_null(strstr(answer + 9, "HTTP/1.1"));
    assert_false(fixture->gate.surfaces.items[0].killed);
}

CONTROL_TEST(test_refuses)
{
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"PATCH /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
        {"HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
        {"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
        {"GET /v1/sta%09tus HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
        {"DELETE /v1/sessions%3Fsurface=studio HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
        {"GET /v1/params/x?reveal HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"GET /v1/params/x?reveal=1&reveal=1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "400"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}", "411"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2z\r\n\r\n{}", "411"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
         "411"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\n\r\n",
         "411"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{}", "413"},
        {"PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999999\r\n\r\n{}",
         "411"},
    };
    struct broker_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_status(fixture, cases[i].request, cases[i].status);
}

/* What another server would turn into a WebSocket, HTTP/2 or a raw tunnel. */
CONTROL_TEST(test_nothing_but_http)
{
    static const char *const requests[] = {
        "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/status HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    };
    struct broker_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *answer = ask(fixture, requests[i]);

        if (strstr(answer, " 101 ") != NULL || strstr(answer, "studio") != NULL)
            fail_msg("request %zu was served: %.80s", i, answer);
    }
    expect_status(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "200");
}

CONTROL_TEST(test_largest_body)
{
    struct broker_fixture *fixture = *state;
    char *request = malloc(CONTROL_BODY_BYTES_MAX + 256);
    int head;

    assert_non_null(request);
    head =
        snprintf(request, 256, "PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                 PARAMS_BYTES_MAX);
    memset(request + head, ' ', CONTROL_BODY_BYTES_MAX);
    request[head] = '{';
    request[head + PARAMS_BYTES_MAX - 1] = '}';
    assert_non_null(
        strstr(converse(fixture, request, (size_t)head + PARAMS_BYTES_MAX, false), "HTTP/1.1 200"));
    free(request);
}

/* More than a socket takes at once: it goes on when the client has read. */
CONTROL_TEST(test_large_answer)
{
    struct broker_fixture *fixture = *state;
    struct session session = {.surface = "studio",
                              .params_digest = "-",
                              .created_at = FIXTURE_NOW,
                              .expires_at = FIXTURE_NOW + 60};
    const char *answer, *body;
    char target[1000];

    memset(target, 't', sizeof(target));
    session.targets_set = true;
    for (unsigned i = 0; i < SESSION_LIST_MAX; i++)
        assert_int_equal(text_list_add(&session.targets, target, sizeof(target)), OK);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(session.id, sizeof(session.id), "%032x", i);
        snprintf(session.token_id, sizeof(session.token_id), "%032x", i);
        assert_int_equal(KEPT(fixture->gate.store, store_session_add, &session), OK);
    }
    answer = ask(fixture, "GET /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n");
    body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_true(strlen(body + 4) > 128 * 1024);
    assert_int_equal(strlen(body + 4), strtoul(strstr(answer, "Content-Length: ") + 16, NULL, 10));
    assert_non_null(strstr(body, "],\"next\":\""));
    assert_string_equal(answer + strlen(answer) - 3, "\"}\n");
    session_clear(&session);
}

static void turn_loop(void)
{
    for (int i = 0; i < 10; i++)
        uv_run(loop, UV_RUN_NOWAIT);
}

CONTROL_TEST(test_a_crowd_is_turned_away)
{
    struct broker_fixture *fixture = *state;
    char bytes[256];
    int fds[CROWD];
    size_t turned_away = 0;

    for (size_t i = 0; i < CROWD; i++) {
        fds[i] = connect_to(fixture);
        assert_true(fds[i] >= 0);
    }
    turn_loop();
    for (size_t i = 0; i < CROWD; i++) {
        ssize_t got = recv(fds[i], bytes, sizeof(bytes) - 1, MSG_DONTWAIT);

        bytes[got > 0 ? got : 0] = '\0';
        turned_away += strstr(bytes, "HTTP/1.1 503") != NULL;
        close(fds[i]);
    }
    assert_int_equal(turned_away, CROWD - CONTROL_CONNECTIONS_MAX);
    turn_loop();
    expect_status(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "200");
}

/* Connections that are half way through a request when Sidelock stops: teardown sees to them. */
CONTROL_TEST(test_stops_in_the_middle)
{
    struct broker_fixture *fixture = *state;
    static const char half[] = "PUT /v1/params/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
    int fd = connect_to(fixture);

    assert_true(fd >= 0);
    assert_int_equal(send(fd, half, sizeof(half) - 1, MSG_NOSIGNAL), sizeof(half) - 1);
    turn_loop();
    control_destroy(control);
    control = NULL;
    assert_int_equal(recv(fd, (char[1]){0}, 1, MSG_DONTWAIT), 0);
    close(fd);
    assert_int_equal(access(fixture->config->control_socket, F_OK), -1);
}

CONTROL_TEST(test_second_instance)
{
    struct broker_fixture *fixture = *state;
    int fd = -1;

    assert_int_equal(control_socket_listen(fixture->config, &fd), ERROR_EXISTS);
    expect_status(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "200");
}

CONTROL_TEST(test_leftover_is_replaced)
{
    struct broker_fixture *fixture = *state;
    const char *path = fixture->config->control_socket;
    int fd = -1;

    control_destroy(control);
    control = NULL;
    /* A process that died: its socket is there, and nobody listens. */
    assert_int_equal(control_socket_listen(fixture->config, &fd), OK);
    close(fd);
    assert_int_equal(mode_of(path), S_IFSOCK | 0600);
    assert_int_equal(control_create(&fixture->gate, &control), OK);
    expect_status(fixture, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "200");
}

CONTROL_TEST(test_something_else_is_kept)
{
    struct broker_fixture *fixture = *state;
    const char *path = fixture->config->control_socket;
    int fd;

    control_destroy(control);
    control = NULL;
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(control_create(&fixture->gate, &control), ERROR_INVALID);
    assert_int_equal(mode_of(path), S_IFREG | 0600);
    assert_int_equal(unlink(path), 0);
    control = NULL;
}

/* A new Sidelock may have taken the path over: it is not ours to remove then. */
CONTROL_TEST(test_path_of_another_is_kept)
{
    struct broker_fixture *fixture = *state;
    int fd = -1;

    assert_int_equal(unlink(fixture->config->control_socket), 0);
    assert_int_equal(control_socket_listen(fixture->config, &fd), OK);
    control_destroy(control);
    control = NULL;
    assert_int_equal(access(fixture->config->control_socket, F_OK), 0);
    close(fd);
}

/* Whether the file system of the tests has lists of users. */
static bool lists_known(const struct broker_fixture *fixture)
{
    char probe[TEMPORARY_PATH_SIZE + 16];
    const uint32_t uid = 4242;

    snprintf(probe, sizeof(probe), "%s/probe", fixture->root);
    fclose(fopen(probe, "w"));
    return access_list_set(probe, &uid, 1) == OK;
}

CONTROL_TEST(test_operators)
{
    struct broker_fixture *fixture = *state;
    uint32_t operators[] = {4242};
    struct config config = *fixture->config;
    uint32_t uid = 0;
    int pair[2], fd = -1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(control_socket_permits(&config, pair[0], &uid));
    assert_int_equal(uid, geteuid());
    close(pair[1]);
    close(pair[0]);

    control_destroy(control);
    control = NULL;
    config.operator_uids = operators;
    config.operator_uid_count = 1;
    assert_int_equal(control_socket_listen(&config, &fd), OK);
    /* The group's bits are the mask of the list. */
    assert_int_equal(mode_of(config.control_socket),
                     S_IFSOCK | (lists_known(fixture) ? 0660 : 0666));
    close(fd);
}

/* In a child of another uid: 0 if it was answered 403 with nothing served. */
static int ask_as_stranger(const struct broker_fixture *fixture)
{
    char answer[ANSWER_BYTES];
    size_t length = 0;
    ssize_t got;
    int fd;

    if (setgid(STRANGER) != 0 || setuid(STRANGER) != 0)
        return 2;
    fd = connect_to(fixture);
    if (fd < 0)
        return 3;
    if (send(fd, "GET /v1/status HTTP/1.1\r\n\r\n", 27, MSG_NOSIGNAL) < 0)
        length = 0; /* refused before it was read */
    while (length < sizeof(answer) - 1 &&
           (got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
        length += (size_t)got;
    answer[length] = '\0';
    return strncmp(answer, "HTTP/1.1 403 ", 13) == 0 && strstr(answer, "studio") == NULL ? 0 : 4;
}

CONTROL_TEST(test_strangers_are_refused)
{
    struct broker_fixture *fixture = *state;
    char directory[TEMPORARY_PATH_SIZE + 16];
    int status = -1;
    pid_t child;

    if (geteuid() != 0)
        skip(); /* only root can become somebody else */
    snprintf(directory, sizeof(directory), "%s/control", fixture->root);
    assert_int_equal(chmod(fixture->root, 0711), 0);
    assert_int_equal(chmod(directory, 0711), 0);
    assert_int_equal(chmod(fixture->config->control_socket, 0666), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(ask_as_stranger(fixture));
    while (waitpid(child, &status, WNOHANG) == 0)
        uv_run(loop, UV_RUN_NOWAIT);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_non_null(strstr(fixture_audit(fixture), "\"event\":\"operator_refused\",\"uid\":65534"));
}
