/* What happens once in a while: handshakes, MCP sessions, the end of many connections at once. */
#include "loads.h"

#include "crowd.h"
#include "measure.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

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

static uint64_t to_ns(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* Of what arrives there, the kernel notes when: nobody has to be there to see it. */
static bool note_arrivals(const struct crowd *crowd)
{
    const int on = 1;
    bool done = true;
    for (unsigned i = 0; done && i < crowd->opened; i++) {
        int fd = crowd->clients[i].stream.fd;
        done = setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
    }
    return done;
}

/* When the close frame has arrived, by the clock of the day; waits for it. 0: there is none. */
static uint64_t close_arrived_ns(const struct client *client)
{
    uint8_t bytes[256];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct pollfd readable = {.fd = client->stream.fd, .events = POLLIN};
    struct timespec arrived;
    if (poll(&readable, 1, STREAM_TIMEOUT_S * 1000) <= 0 ||
        recvmsg(client->stream.fd, &message, 0) <= 0 || bytes[0] != CLOSE_BYTE) {
        return 0;
    }
    const struct cmsghdr *note = CMSG_FIRSTHDR(&message);
    if (note == NULL || note->cmsg_type != SCM_TIMESTAMPNS) {
        return 0;
    }
    memcpy(&arrived, CMSG_DATA(note), sizeof arrived);
    return to_ns(arrived);
}

/* The last of them. */
static bool last_arrived_ns(const struct crowd *crowd, uint64_t *last_ns)
{
    *last_ns = 0;
    for (unsigned i = 0; i < crowd->opened; i++) {
        uint64_t arrived_ns = close_arrived_ns(&crowd->clients[i]);
        if (arrived_ns == 0) {
            (void)fprintf(stderr, "bench_load: connection %u was not closed\n", i);
            return false;
        }
        *last_ns = arrived_ns > *last_ns ? arrived_ns : *last_ns;
    }
    return true;
}

static bool send_command(struct stream *control, const char *session_id)
{
    char request[256];
    int length = snprintf(request, sizeof request,
                          "DELETE /v1/sessions/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", session_id);
    return length > 0 && (size_t)length < sizeof request &&
           stream_write(control, request, (size_t)length) == length;
}

static bool measure_ends(const struct crowd *crowd, struct stream *control)
{
    const struct options *options = crowd->options;
    const struct timespec rest = {.tv_sec = 1};
    struct timespec began;
    struct usage before, after;
    uint64_t last_ns;
    (void)clock_gettime(CLOCK_REALTIME, &began);
    if (!usage_read(&options->processes, &before) || !send_command(control, options->revoke)) {
        return false;
    }
    (void)nanosleep(&rest, NULL);
    if (!usage_read(&options->processes, &after) || !last_arrived_ns(crowd, &last_ns)) {
        return false;
    }
    (void)printf("closed_ms=%.2f cpu_ms=%.2f\n", (double)(last_ns - to_ns(began)) / 1e6,
                 usage_cpu_between(&options->processes, &before, &after) / 1e6);
    return true;
}

bool load_ends(const struct options *options)
{
    struct crowd crowd;
    struct stream control = {.fd = -1};
    const struct stream_target socket = {.socket_path = options->control};
    bool done =
        crowd_create(&crowd, options, options->connections) && options->control != NULL &&
        options->revoke != NULL && crowd_open(&crowd, &options->target, options->connections) &&
        note_arrivals(&crowd) && stream_open(&control, &socket) && measure_ends(&crowd, &control);
    stream_close(&control);
    crowd_destroy(&crowd);
    return done;
}
