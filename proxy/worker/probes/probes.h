/*
 * The telemetry page of this process: its listeners, and who is connected there. Bounded, so that
 * clients feel nothing of it: so many connections in all, from one place and with the metrics, of
 * which the oldest that has asked for nothing yet makes room, and then the oldest that does not
 * take its answer; so many a round; and the broker is asked again only once its last word is
 * PROBES_FRESH_MS old. Whoever is let in is read at once: who asks when he comes has his answer,
 * however many come behind him.
 */
#pragma once

#include "worker/client/process.h"
#include "worker/probes/probe.h"

#define PROBES_MAX                   32
#define PROBES_PER_PEER_MAX          24 /* from one address or IPv6 network, or of one user */
#define PROBES_SCRAPES_MAX           8  /* that wait for the metrics, or take them */
#define PROBES_SCRAPES_PER_PEER_MAX  4
#define PROBES_PER_TURN_MAX          16  /* of the loop */
#define PROBES_PER_ROUND_MAX         500 /* of the worker's tick, ten a second */
#define PROBES_SCRAPES_PER_ROUND_MAX 20
#define PROBES_FRESH_MS              500 /* or what is told may be as old as that */
#define PROBES_DOORS_MAX             2

struct probes_door {
    uv_poll_t poll;
    struct probes *probes;
    int fd;
    bool open;
};

struct probes {
    struct worker *worker;
    struct probes_door doors[PROBES_DOORS_MAX];
    size_t door_count;
    struct probe_listener listener;
    struct probe *first;        /* the oldest */
    unsigned accepted, scrapes; /* in this round */
    bool watching, asked;
    uint64_t told_ms; /* when the broker answered last; 0: never */
    uint64_t strays;  /* refused, and not told to the broker yet */
    struct buffer text;
    struct probe_facts facts;
};

void probes_init(struct probes *probes, struct worker *worker);
/* One more listener, taken over. */
enum error probes_add(struct probes *probes, int fd) MUST_CHECK;
/* The broker's answer; `fd` is taken over unless it is false: it breaks the protocol. */
bool probes_take(struct probes *probes, const struct ipc_scraped *scraped, int fd);
/* Each round: who takes too long, and whoever waits to be let in. */
void probes_tick(struct probes *probes);
/* Nobody is let in any more. */
void probes_shut(struct probes *probes);
/* Ends all; the loop is still to turn. Then release. */
void probes_stop(struct probes *probes);
void probes_release(struct probes *probes);
