/*
 * The load generator: every connection sends a 300-byte tools/call, waits for
 * its result, and sends the next. options.h says how it is called.
 *
 * A run prints one line of name=value: the on-CPU time of the processes in LIST
 * per message (a message is a request and its answer), latencies and rate. With
 * --idle it then opens that many connections more, lets each exchange one
 * message and rest, and measures the active ones again (names with among_), and
 * what the processes' resident memory grew by for each idle connection. With
 * --streams too, those are open streams of events instead.
 *
 * --probe makes one connection and one call and prints the HTTP status, and
 * `result` or `error` if the answer is one.
 */
#include "client.h"
#include "options.h"
#include "usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX     128
#define STALL_MS       10000
#define SETTLE_MS      500
#define LATENCY_US_MAX 100000 /* longer ones count as this */

struct run {
    const struct options *options;
    int epoll;
    struct client *clients; /* the active ones first */
    unsigned opened;
    uint32_t *latency_us; /* a count for each microsecond */
};

struct result {
    double cpu_us;
    double wait_share; /* of the time, the processes waited for their processor */
    double p50_us, p99_us;
    double rate; /* messages a second */
};

/* The latency that `share` of the messages did not exceed. */
static double percentile(const struct run *run, unsigned long total, double share)
{
    unsigned long wanted = (unsigned long)((double)total * share);
    unsigned long seen = 0;
    for (unsigned i = 0; i <= LATENCY_US_MAX; i++) {
        seen += run->latency_us[i];
        if (seen > wanted) {
            return i;
        }
    }
    return LATENCY_US_MAX;
}

static bool open_clients(struct run *run, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct client *client = &run->clients[run->opened];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (!client_open(client, &run->options->target, run->opened) ||
            epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0) {
            (void)fprintf(stderr, "bench_load: connection %u was answered with %u\n", run->opened,
                          client->status);
            return false;
        }
        run->opened++;
    }
    return true;
}

/* The clocks at one moment. */
struct mark {
    uint64_t wall_ns;
    uint64_t cpu_ns;  /* of the processes measured */
    uint64_t wait_ns; /* likewise */
};

static bool take_mark(const struct options *options, struct mark *mark)
{
    mark->wall_ns = client_now_ns();
    return usage_cpu_ns(&options->processes, &mark->cpu_ns) &&
           usage_wait_ns(&options->processes, &mark->wait_ns);
}

/* What a round of ping-pong has done so far. */
struct progress {
    unsigned long sent, answered;
    struct mark started, ended;
};

/* Notes the marks as the count of answers passes them, and sends the next request. */
static bool take_answer(struct run *run, struct client *client, struct progress *progress)
{
    const struct options *options = run->options;
    unsigned long total = options->warmup + options->messages;
    progress->answered++;
    if (progress->answered > options->warmup) {
        uint64_t latency_us = (client_now_ns() - client->sent_ns) / 1000;
        run->latency_us[latency_us < LATENCY_US_MAX ? latency_us : LATENCY_US_MAX]++;
    } else if (progress->answered == options->warmup && !take_mark(options, &progress->started)) {
        return false;
    }
    if (progress->answered == total) {
        return take_mark(options, &progress->ended);
    }
    if (progress->sent < total) {
        progress->sent++;
        return client_send(client);
    }
    return true;
}

static bool take_events(struct run *run, struct progress *progress)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run->epoll, events, EVENTS_MAX, STALL_MS);
    if (count == 0) {
        (void)fprintf(stderr, "bench_load: no answer for %d ms\n", STALL_MS);
    }
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        enum client_event event = client_receive(client);
        if (event == CLIENT_REFUSED || event == CLIENT_DENIED) {
            (void)fprintf(stderr, "bench_load: a request was refused, status %u\n", client->status);
            return false;
        }
        if (event == CLIENT_FAILED ||
            (event == CLIENT_ANSWERED && !take_answer(run, client, progress))) {
            return false;
        }
    }
    return count > 0 || (count < 0 && errno == EINTR);
}

/* Ping-pong on the active connections: a warm-up, then what is measured. */
static bool measure_active(struct run *run, struct result *result)
{
    const struct options *options = run->options;
    unsigned long total = options->warmup + options->messages;
    struct progress progress = {0};
    memset(run->latency_us, 0, (LATENCY_US_MAX + 1) * sizeof *run->latency_us);
    for (unsigned i = 0; i < options->connections && progress.sent < total; i++) {
        progress.sent++;
        if (!client_send(&run->clients[i])) {
            return false;
        }
    }
    while (progress.answered < total) {
        if (!take_events(run, &progress)) {
            return false;
        }
    }
    double messages = (double)options->messages;
    double wall_ns = (double)(progress.ended.wall_ns - progress.started.wall_ns);
    double cpu_ns = (double)(progress.ended.cpu_ns - progress.started.cpu_ns);
    double wait_ns = (double)(progress.ended.wait_ns - progress.started.wait_ns);
    *result = (struct result){
        .cpu_us = cpu_ns / messages / 1000,
        .wait_share = wait_ns / wall_ns,
        .p50_us = percentile(run, options->messages, 0.50),
        .p99_us = percentile(run, options->messages, 0.99),
        .rate = messages * 1e9 / wall_ns,
    };
    return true;
}

static enum client_event call_once(struct client *client)
{
    enum client_event event = client_send(client) ? CLIENT_WAITING : CLIENT_FAILED;
    while (event == CLIENT_WAITING) {
        struct pollfd readable = {.fd = client->fd, .events = POLLIN};
        if (poll(&readable, 1, STALL_MS) <= 0) {
            (void)fprintf(stderr, "bench_load: no answer for %d ms\n", STALL_MS);
            return CLIENT_FAILED;
        }
        event = client_receive(client);
    }
    return event;
}

/* Opens the idle connections, and lets each exchange a message or receive an event. */
static bool open_idle(struct run *run)
{
    const struct options *options = run->options;
    if (options->streams) {
        for (unsigned i = 0; i < options->idle; i++) {
            if (!client_open_stream(&run->clients[run->opened++], &options->target)) {
                return false;
            }
        }
        return true;
    }
    unsigned first = run->opened;
    if (!open_clients(run, options->idle)) {
        return false;
    }
    for (unsigned i = first; i < run->opened; i++) {
        if (call_once(&run->clients[i]) != CLIENT_ANSWERED) {
            return false;
        }
    }
    return true;
}

/* *bytes is what opening the idle connections makes resident memory grow by for each. */
static bool measure_idle(struct run *run, double *bytes)
{
    const struct options *options = run->options;
    const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    uint64_t before, after;
    if (!usage_resident_bytes(&options->processes, &before) || !open_idle(run)) {
        return false;
    }
    (void)nanosleep(&settle, NULL);
    if (!usage_resident_bytes(&options->processes, &after)) {
        return false;
    }
    *bytes = ((double)after - (double)before) / options->idle;
    return true;
}

static void print_result(const char *prefix, const struct usage_processes *processes,
                         const struct result *result)
{
    if (processes->count > 0) {
        (void)printf("%scpu_us=%.3f %swait_share=%.4f ", prefix, result->cpu_us, prefix,
                     result->wait_share);
    }
    (void)printf("%sp50_us=%.0f %sp99_us=%.0f %srate=%.0f ", prefix, result->p50_us, prefix,
                 result->p99_us, prefix, result->rate);
}

static bool run_load(struct run *run)
{
    const struct usage_processes *processes = &run->options->processes;
    struct result result;
    double bytes = 0;
    if (!open_clients(run, run->options->connections) || !measure_active(run, &result)) {
        return false;
    }
    print_result("", processes, &result);
    if (run->options->idle > 0) {
        if (!measure_idle(run, &bytes) || !measure_active(run, &result)) {
            return false;
        }
        print_result("among_", processes, &result);
        (void)printf("idle_bytes=%.0f ", bytes);
    }
    (void)printf("\n");
    return true;
}

static int load(const struct options *options)
{
    struct run run = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    run.clients = calloc((size_t)options->connections + options->idle, sizeof *run.clients);
    run.latency_us = calloc(LATENCY_US_MAX + 1, sizeof *run.latency_us);
    bool done = run.epoll >= 0 && run.clients != NULL && run.latency_us != NULL && run_load(&run);
    for (unsigned i = 0; i < run.opened; i++) {
        client_close(&run.clients[i]);
    }
    free(run.clients);
    free(run.latency_us);
    if (run.epoll >= 0) {
        (void)close(run.epoll);
    }
    return done ? 0 : 1;
}

static int probe(const struct options *options)
{
    struct client client;
    enum client_event event = CLIENT_DENIED;
    if (client_open(&client, &options->target, 0)) {
        event = call_once(&client);
    }
    const char *what = event == CLIENT_ANSWERED  ? " result"
                       : event == CLIENT_REFUSED ? " error"
                       : event == CLIENT_FAILED  ? " nothing"
                                                 : "";
    (void)printf("%u%s\n", client.status, what);
    client_close(&client);
    return client.status != 0 ? 0 : 1;
}

/* Ports that were free a moment ago: held together, so that they differ. */
static int print_free_ports(unsigned count)
{
    int held[OPTIONS_FREE_PORTS_MAX];
    unsigned open = 0;
    int status = 0;
    for (; open < count && status == 0; open++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        held[open] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (held[open] < 0 || bind(held[open], (const struct sockaddr *)&address, length) != 0 ||
            getsockname(held[open], (struct sockaddr *)&address, &length) != 0) {
            status = 1;
        }
        (void)printf("%u\n", ntohs(address.sin_port));
    }
    while (open > 0) {
        (void)close(held[--open]);
    }
    return status;
}

int main(int argc, char **argv)
{
    static struct options options;
    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "bench_load: a bad option or value: see options.h\n");
        return 64;
    }
    if (options.free_ports > 0) {
        return print_free_ports(options.free_ports);
    }
    return options.probe ? probe(&options) : load(&options);
}
