/*
 * What happens once in a while: handshakes, refusals, the end of many connections at once.
 *
 *   bench_rare handshakes TARGET --count N [--beside N] [--pids LIST]
 *   bench_rare refusals TARGET --count N --connections N [--pids LIST]
 *   bench_rare ends TARGET --connections N
 *
 * TARGET: --port P, --path PATH, --tokens FILE (a line each; connection i has the i-th, round and
 * round), [--tool NAME] [--http].
 *
 * handshakes: one after another connects, is admitted, exchanges a message and closes, beside
 * so many that stay. refusals: every message calls a tool that is forbidden. Both print one line of
 * name=value: on-CPU time of the processes for each, and latencies.
 *
 * ends: opens them, prints "open", and after a line on its standard input (the moment of the
 * command) waits until all have been closed; prints the milliseconds.
 */
#include "client.h"
#include "usage.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKENS_MAX  16384
#define STALL_MS    10000
#define EVENTS_MAX  256
#define WARMUP_PART 10 /* one of so many is not counted */

struct work {
    struct client_target target;
    char *tokens[TOKENS_MAX];
    size_t token_count;
    unsigned long count;
    unsigned connections, beside;
    struct usage_processes processes;
    struct client *clients;
    struct client_target *targets; /* each client's: its token */
    double *latencies_us;
};

/* ---- What is asked for ---- */

static bool read_tokens(struct work *work, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[CLIENT_TOKEN_BYTES_MAX];
    while (file != NULL && work->token_count < TOKENS_MAX &&
           fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        work->tokens[work->token_count++] = strdup(line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return work->token_count > 0;
}

static bool take_option(struct work *work, int name, const char *value)
{
    switch (name) {
    case 'p':
        work->target.port = (unsigned)strtoul(value, NULL, 10);
        return work->target.port > 0;
    case 'a':
        work->target.path = value;
        return true;
    case 't':
        return read_tokens(work, value);
    case 'l':
        work->target.tool = value;
        return true;
    case 'h':
        work->target.http = true;
        return true;
    case 'n':
        work->count = strtoul(value, NULL, 10);
        return work->count > 0;
    case 'c':
        work->connections = (unsigned)strtoul(value, NULL, 10);
        return work->connections > 0;
    case 'b':
        work->beside = (unsigned)strtoul(value, NULL, 10);
        return true;
    case 'i':
        return usage_parse(value, &work->processes);
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct work *work)
{
    static const struct option table[] = {
        {"port", required_argument, NULL, 'p'},   {"path", required_argument, NULL, 'a'},
        {"tokens", required_argument, NULL, 't'}, {"tool", required_argument, NULL, 'l'},
        {"http", no_argument, NULL, 'h'},         {"count", required_argument, NULL, 'n'},
        {"pids", required_argument, NULL, 'i'},   {"connections", required_argument, NULL, 'c'},
        {"beside", required_argument, NULL, 'b'}, {NULL, 0, NULL, 0},
    };
    int name;
    work->target = (struct client_target){.path = "/", .tool = "echo"};
    work->connections = 1;
    work->count = 1;
    while ((name = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (!take_option(work, name, optarg)) {
            return false;
        }
    }
    return work->token_count > 0;
}

/* ---- Connections ---- */

static bool allocate(struct work *work)
{
    size_t connections = (size_t)work->connections + work->beside;
    work->clients = calloc(connections + 1, sizeof *work->clients);
    work->targets = calloc(connections + 1, sizeof *work->targets);
    work->latencies_us = calloc(work->count, sizeof *work->latencies_us);
    return work->clients != NULL && work->targets != NULL && work->latencies_us != NULL;
}

static bool open_one(struct work *work, size_t place, unsigned number)
{
    struct client_target *target = &work->targets[place];
    *target = work->target;
    target->token = work->tokens[number % work->token_count];
    if (client_open(&work->clients[place], target, number)) {
        return true;
    }
    (void)fprintf(stderr, "bench_rare: connection %u was answered with %u\n", number,
                  work->clients[place].status);
    return false;
}

static bool call(struct client *client, enum client_event wanted)
{
    enum client_event event = client_send(client) ? CLIENT_WAITING : CLIENT_FAILED;
    while (event == CLIENT_WAITING) {
        struct pollfd readable = {.fd = client->fd, .events = POLLIN};
        if (poll(&readable, 1, STALL_MS) <= 0) {
            return false;
        }
        event = client_receive(client);
    }
    if (event != wanted) {
        (void)fprintf(stderr, "bench_rare: an answer that was not looked for, status %u\n",
                      client->status);
    }
    return event == wanted;
}

/* ---- Results ---- */

static int compare(const void *one, const void *other)
{
    const double *left = one, *right = other;
    return (*left > *right) - (*left < *right);
}

struct mark {
    uint64_t wall_ns, cpu_ns, wait_ns;
};

static bool take_mark(const struct work *work, struct mark *mark)
{
    mark->wall_ns = client_now_ns();
    return usage_cpu_ns(&work->processes, &mark->cpu_ns) &&
           usage_wait_ns(&work->processes, &mark->wait_ns);
}

static void print(struct work *work, const struct mark *begin, const struct mark *end,
                  unsigned long counted)
{
    double *from = work->latencies_us + (work->count - counted);
    double wall_ns = (double)(end->wall_ns - begin->wall_ns);
    qsort(from, counted, sizeof *from, compare);
    (void)printf("cpu_us=%.3f wait_share=%.4f p50_us=%.0f p99_us=%.0f rate=%.0f\n",
                 (double)(end->cpu_ns - begin->cpu_ns) / (double)counted / 1000,
                 (double)(end->wait_ns - begin->wait_ns) / wall_ns, from[counted / 2],
                 from[counted * 99 / 100], (double)counted * 1e9 / wall_ns);
}

/* ---- The loads ---- */

static bool handshakes(struct work *work)
{
    unsigned long warmup = work->count / WARMUP_PART;
    struct mark begin, end;
    for (unsigned i = 0; i < work->beside; i++) {
        if (!open_one(work, i + 1, i)) {
            return false;
        }
    }
    for (unsigned long i = 0; i < work->count; i++) {
        uint64_t began_ns = client_now_ns();
        if ((i == warmup && !take_mark(work, &begin)) ||
            !open_one(work, 0, work->beside + (unsigned)i) ||
            !call(&work->clients[0], CLIENT_ANSWERED)) {
            return false;
        }
        work->latencies_us[i] = (double)(client_now_ns() - began_ns) / 1000;
        client_close(&work->clients[0]);
    }
    if (!take_mark(work, &end)) {
        return false;
    }
    print(work, &begin, &end, work->count - warmup);
    return true;
}

static int watch_all(const struct work *work)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; epoll >= 0 && i < work->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, work->clients[i].fd, &event) != 0) {
            (void)close(epoll);
            return -1;
        }
    }
    return epoll;
}

static bool open_all(struct work *work)
{
    for (unsigned i = 0; i < work->connections; i++) {
        if (!open_one(work, i, i)) {
            return false;
        }
    }
    return true;
}

/* Each connection sends the next when the last has been refused. */
static bool refusals(struct work *work)
{
    unsigned long sent = 0, answered = 0, warmup = work->count / WARMUP_PART;
    struct epoll_event events[EVENTS_MAX];
    struct mark begin = {0}, end;
    int epoll;
    if (!open_all(work) || (epoll = watch_all(work)) < 0) {
        return false;
    }
    for (; sent < work->connections; sent++) {
        if (!client_send(&work->clients[sent])) {
            return false;
        }
    }
    while (answered < work->count) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, STALL_MS);
        if (count <= 0) {
            return false;
        }
        for (int i = 0; i < count && answered < work->count; i++) {
            struct client *client = &work->clients[events[i].data.u32];
            enum client_event event = client_receive(client);
            if (event == CLIENT_WAITING) {
                continue;
            }
            if (event != CLIENT_REFUSED || (answered == warmup && !take_mark(work, &begin))) {
                return false;
            }
            work->latencies_us[answered++] = (double)(client_now_ns() - client->sent_ns) / 1000;
            if (sent < work->count && !client_send(client)) {
                return false;
            }
            sent++;
        }
    }
    if (!take_mark(work, &end)) {
        return false;
    }
    print(work, &begin, &end, work->count - warmup);
    (void)close(epoll);
    return true;
}

static bool ends(struct work *work)
{
    struct epoll_event events[EVENTS_MAX];
    unsigned left = work->connections, closes = 0;
    struct mark begin, told = {0};
    char line[16];
    int epoll;
    if (!open_all(work) || (epoll = watch_all(work)) < 0) {
        return false;
    }
    (void)printf("open\n");
    (void)fflush(stdout);
    if (read(STDIN_FILENO, line, sizeof line) <= 0) {
        return false;
    }
    if (!take_mark(work, &begin)) {
        return false;
    }
    while (left > 0) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, STALL_MS);
        if (count <= 0) {
            (void)fprintf(stderr, "bench_rare: %u of %u stay open\n", left, work->connections);
            return false;
        }
        for (int i = 0; i < count; i++) {
            struct client *client = &work->clients[events[i].data.u32];
            uint8_t bytes[256];
            ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
            if (got >= 2 && bytes[0] == 0x88) {
                /* The close frame: nothing that is sent from now on is forwarded. */
                closes++;
                if (closes == work->connections && !take_mark(work, &told)) {
                    return false;
                }
            }
            if (got > 0) {
                shutdown(client->fd, SHUT_WR);
                continue;
            }
            (void)epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
            left--;
        }
    }
    (void)printf("told_ms=%.2f told_cpu_ms=%.2f closed_ms=%.2f closes=%u\n",
                 (double)(told.wall_ns - begin.wall_ns) / 1e6,
                 (double)(told.cpu_ns - begin.cpu_ns) / 1e6,
                 (double)(client_now_ns() - begin.wall_ns) / 1e6, closes);
    (void)close(epoll);
    return true;
}

int main(int argc, char **argv)
{
    static struct work work;
    static const struct {
        const char *name;
        bool (*run)(struct work *work);
    } loads[] = {{"handshakes", handshakes}, {"refusals", refusals}, {"ends", ends}};
    for (size_t i = 0; argc > 1 && i < sizeof loads / sizeof loads[0]; i++) {
        if (strcmp(argv[1], loads[i].name) == 0 && read_options(argc - 1, argv + 1, &work)) {
            return allocate(&work) && loads[i].run(&work) ? 0 : 1;
        }
    }
    (void)fprintf(stderr, "bench_rare: a bad option or value: see rare.c\n");
    return 64;
}
