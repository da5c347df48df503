/*
 * The workers, as their parent has them: what the broker gives for the next one, started and
 * waited for. At most one lives in each place.
 */
#pragma once

#include "config/config.h"
#include "ipc/errand.h"

#include <sys/types.h>

/* argv[1] of the program that becomes a worker. */
#define SPAWN_WORKER_VERB "worker"
/*
 * Further arguments: the slots of the listeners, those of the configuration's surfaces ("0,0,1"),
 * and how many connections there may be.
 */
#define SPAWN_ARGUMENTS 3
/* Descriptors a worker finds open beside 0 to 2: its channel, the configuration, its listeners. */
#define SPAWN_CHANNEL_FD  3
#define SPAWN_CONFIG_FD   4
#define SPAWN_LISTENER_FD 5

/* Of one worker: those of all surfaces, and of telemetry. */
#define SPAWNING_LISTENERS_MAX (CONFIG_SURFACES_MAX * CONFIG_LISTEN_MAX * 2 + 2)

struct spawning {
    pid_t workers[CONFIG_WORKERS_MAX]; /* 0: none lives there */
    /* For the next: channel, configuration, standard error; then its listeners. -1: not given. */
    int gifts[ERRAND_GIFT_LISTENER];
    int listeners[SPAWNING_LISTENERS_MAX];
    uint32_t slots[SPAWNING_LISTENERS_MAX]; /* of each one's surface */
    size_t listener_count;
};

void spawning_init(struct spawning *spawning);
/* Kills those that live. */
void spawning_kill(const struct spawning *spawning);
/* The same, and waits for them. */
void spawning_end(struct spawning *spawning);

/* GIVE: takes over the descriptor. ERROR_SYNTAX: no broker of ours says so. */
enum error spawning_give(struct spawning *spawning, const struct errand *errand, int fd) MUST_CHECK;
/* SPAWN: `answer` becomes what the broker is told, with *pidfd (-1: none). ERROR_SYNTAX as above.
 */
enum error spawning_start(struct spawning *spawning, const struct errand *errand,
                          struct errand *answer, int *pidfd) MUST_CHECK;
/* A child has ended. False: it was none of them. */
bool spawning_reap(struct spawning *spawning, pid_t pid, int status, struct errand *answer);
