#include "loads.h"

#include "crowd.h"
#include "measure.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS_MAX 128
#define SETTLE_MS  500

/* What a round of ping-pong has done so far. */
struct progress {
    unsigned long sent, answered;
    struct measure *measure;
};

/* Counts an answer and sends the next request. */
static bool take_answer(const struct crowd *crowd, struct client *client, struct progress *progress)
{
    const struct options *options = crowd->options;
    progress->answered++;
    if (progress->answered > options->warmup) {
        measure_add(progress->measure, client->sent_ns);
    } else if (progress->answered == options->warmup &&
               !measure_begin(progress->measure, &options->processes)) {
        return false;
    }
    if (progress->sent == options->warmup + options->messages) {
        return true;
    }
    progress->sent++;
    return crowd_send(crowd, client);
}

static bool take_events(const struct crowd *crowd, struct progress *progress)
{
    const enum client_event wanted = crowd->options->refused ? CLIENT_REFUSED : CLIENT_ANSWERED;
    struct epoll_event events[EVENTS_MAX];
    int count = crowd_wait(crowd, events, EVENTS_MAX);
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        enum client_event event = client_receive(client);
        if (event == CLIENT_WAITING) {
            continue;
        }
        if (event != wanted) {
            (void)fprintf(stderr, "bench_load: a request was %s, status %u\n",
                          event == CLIENT_ANSWERED ? "answered" : "refused", client->status);
            return false;
        }
        if (!take_answer(crowd, client, progress)) {
            return false;
        }
    }
    return count > 0;
}

bool loads_measure_active(const struct crowd *crowd, const char *prefix)
{
    static struct measure measure;
    const struct options *options = crowd->options;
    const unsigned long total = options->warmup + options->messages;
    struct progress progress = {.measure = &measure};
    for (unsigned i = 0; i < options->connections && progress.sent < total; i++) {
        progress.sent++;
        if (!crowd_send(crowd, &crowd->clients[i])) {
            return false;
        }
    }
    while (progress.answered < total) {
        if (!take_events(crowd, &progress)) {
            return false;
        }
    }
    return measure_end(&measure, prefix);
}

/* Opens the idle connections, and lets each exchange a message or receive an event. */
static bool open_idle(struct crowd *crowd)
{
    const struct options *options = crowd->options;
    for (unsigned i = 0; i < options->idle; i++) {
        struct client *client = &crowd->clients[crowd->opened];
        if (!options->streams) {
            if (!crowd_open(crowd, &options->target, 1) || client_call(client) != CLIENT_ANSWERED) {
                return false;
            }
        } else if (!client_open_stream(client, &options->target,
                                       options_token(options, crowd->opened++))) {
            return false;
        }
    }
    return true;
}

/* Prints what opening the idle connections makes resident memory grow by for each. */
static bool measure_idle(struct crowd *crowd)
{
    const struct options *options = crowd->options;
    const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    uint64_t before, after;
    if (!usage_resident_bytes(&options->processes, &before) || !open_idle(crowd)) {
        return false;
    }
    (void)nanosleep(&settle, NULL);
    if (!usage_resident_bytes(&options->processes, &after)) {
        return false;
    }
    (void)printf("idle_bytes=%.0f ", ((double)after - (double)before) / options->idle);
    return true;
}

bool load_pings(const struct options *options)
{
    struct crowd crowd;
    bool done =
        crowd_create(&crowd, options, options->connections + options->idle) &&
        crowd_open(&crowd, &options->target, options->connections) &&
        loads_measure_active(&crowd, "") &&
        (options->idle == 0 || (measure_idle(&crowd) && loads_measure_active(&crowd, "among_")));
    (void)printf("\n");
    crowd_destroy(&crowd);
    return done;
}
