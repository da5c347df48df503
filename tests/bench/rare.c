/* What happens once in a while: handshakes, MCP sessions, the end of many connections at once. */
#include "loads.h"

#include "crowd.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS_MAX 256
#define CLOSE_BYTE 0x88 /* a close frame's first */

/* ---- Handshakes ---- */

static bool shake_hands(const struct options *options, unsigned number, uint64_t *began_ns)
{
    struct client client;
    *began_ns = client_now_ns();
    bool done = client_open(&client, &options->target, options_token(options, number), number) &&
                client_call(&client) == CLIENT_ANSWERED;
    if (!done) {
        (void)fprintf(stderr, "bench_load: handshake %u was answered with %u\n", number,
                      client.status);
    }
    client_close(&client);
    return done;
}

/* What rests beside the handshakes; over HTTP each has asked for something. */
static bool open_beside(struct crowd *crowd)
{
    const struct options *options = crowd->options;
    struct client_target target = options->target;
    if (options->idle_http != NULL) {
        target.http = true;
        target.path = options->idle_http;
    }
    for (unsigned i = 0; i < options->idle; i++) {
        if (!crowd_open(crowd, &target, 1) || client_call(&crowd->clients[i]) != CLIENT_ANSWERED) {
            return false;
        }
    }
    return true;
}

/* Prints what the processes use in a second while all rest. */
static bool measure_rest(const struct options *options)
{
    const struct timespec second = {.tv_sec = 1};
    struct usage before, after;
    if (!usage_read(&options->processes, &before)) {
        return false;
    }
    (void)nanosleep(&second, NULL);
    if (!usage_read(&options->processes, &after)) {
        return false;
    }
    (void)printf("rest_ms=%.2f ", usage_cpu_between(&options->processes, &before, &after) / 1e6);
    return true;
}

static bool measure_handshakes(const struct options *options)
{
    static struct measure measure;
    uint64_t began_ns;
    for (unsigned long i = 0; i < options->warmup + options->messages; i++) {
        if ((i == options->warmup && !measure_begin(&measure, &options->processes)) ||
            !shake_hands(options, options->idle + (unsigned)i, &began_ns)) {
            return false;
        }
        measure_add(&measure, began_ns);
    }
    return measure_end(&measure, "");
}

bool load_handshakes(const struct options *options)
{
    struct crowd crowd;
    bool done = crowd_create(&crowd, options, options->idle + 1) && open_beside(&crowd) &&
                (options->idle == 0 || measure_rest(options)) && measure_handshakes(options);
    (void)printf("\n");
    crowd_destroy(&crowd);
    return done;
}

/* ---- MCP sessions ---- */

/* In the order that crowd.h gives them. */
static bool open_mcp_sessions(const struct options *options, mcp_session_id *ids)
{
    bool done = true;
    for (unsigned turn = 0; done && turn < options->token_count; turn++) {
        struct client client;
        done = client_open(&client, &options->target, options_token(options, turn), turn);
        for (unsigned at = turn; done && at < options->sessions; at += options->token_count) {
            done = client_initialize(&client);
            memcpy(ids[at], client.session, sizeof ids[at]);
        }
        client_close(&client);
    }
    return done;
}

bool load_mcp_sessions(const struct options *options)
{
    struct crowd crowd;
    mcp_session_id *ids = calloc(options->sessions + 1, sizeof *ids);
    bool done = crowd_create(&crowd, options, options->connections) && ids != NULL &&
                options->connections <= options->token_count &&
                options->token_count <= options->sessions && open_mcp_sessions(options, ids) &&
                crowd_open(&crowd, &options->target, options->connections);
    crowd.sessions = ids;
    done = done && loads_measure_active(&crowd, "");
    (void)printf("\n");
    crowd_destroy(&crowd);
    free(ids);
    return done;
}

/* ---- Ends ---- */

struct ends {
    struct crowd crowd;
    unsigned told, closed;
    uint64_t began_ns, told_ns;
    struct usage before, after;
};

/* Connected beforehand, so that what is measured begins with the command. */
static bool send_command(struct ends *ends, struct stream *control)
{
    char request[256];
    int length = snprintf(request, sizeof request,
                          "DELETE /v1/sessions/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          ends->crowd.options->revoke);
    ends->began_ns = client_now_ns();
    return length > 0 && (size_t)length < sizeof request &&
           stream_write(control, request, (size_t)length) == length;
}

/* A close frame is answered by the end of what we send; then the other side ends too. */
static void take_end(struct ends *ends, struct client *client)
{
    uint8_t bytes[256];
    ssize_t got = stream_read(&client->stream, bytes, sizeof bytes);
    if (got > 0) {
        ends->told += bytes[0] == CLOSE_BYTE;
        ends->told_ns = client_now_ns();
        (void)shutdown(client->stream.fd, SHUT_WR);
        return;
    }
    client_close(client);
    ends->closed++;
}

static bool await_ends(struct ends *ends)
{
    while (ends->closed < ends->crowd.opened) {
        struct epoll_event events[EVENTS_MAX];
        int count = crowd_wait(&ends->crowd, events, EVENTS_MAX);
        if (count < 0) {
            (void)fprintf(stderr, "bench_load: %u of %u connections have ended\n", ends->closed,
                          ends->crowd.opened);
            return false;
        }
        for (int i = 0; i < count; i++) {
            take_end(ends, events[i].data.ptr);
        }
    }
    return ends->told == ends->crowd.opened;
}

bool load_ends(const struct options *options)
{
    struct ends ends = {0};
    struct stream control = {.fd = -1};
    const struct stream_target socket = {.socket_path = options->control};
    bool done = options->control != NULL && options->revoke != NULL &&
                crowd_create(&ends.crowd, options, options->connections) &&
                crowd_open(&ends.crowd, &options->target, options->connections) &&
                stream_open(&control, &socket) && usage_read(&options->processes, &ends.before) &&
                send_command(&ends, &control) && await_ends(&ends);
    const uint64_t ended_ns = client_now_ns();
    if (done && usage_read(&options->processes, &ends.after)) {
        (void)printf("told_ms=%.2f closed_ms=%.2f cpu_ms=%.2f\n",
                     (double)(ends.told_ns - ends.began_ns) / 1e6,
                     (double)(ended_ns - ends.began_ns) / 1e6,
                     usage_cpu_between(&options->processes, &ends.before, &ends.after) / 1e6);
    }
    stream_close(&control);
    crowd_destroy(&ends.crowd);
    return done;
}
