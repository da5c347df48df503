#include "parent/spawning.h"

#include "parent/anew.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS_BYTES_MAX (SPAWNING_LISTENERS_MAX * 5)

_Static_assert(CONFIG_SLOTS_MAX <= 10000, "a slot and its comma take five bytes at most");

void spawning_init(struct spawning *spawning)
{
    *spawning = (struct spawning){.listener_count = 0};
    for (size_t i = 0; i < ERRAND_GIFT_LISTENER; i++)
        spawning->gifts[i] = -1;
}

static void drop_gifts(struct spawning *spawning)
{
    for (size_t i = 0; i < ERRAND_GIFT_LISTENER; i++) {
        if (spawning->gifts[i] >= 0)
            close(spawning->gifts[i]);
        spawning->gifts[i] = -1;
    }
    for (size_t i = 0; i < spawning->listener_count; i++)
        close(spawning->listeners[i]);
    spawning->listener_count = 0;
}

void spawning_kill(const struct spawning *spawning)
{
    for (size_t i = 0; i < CONFIG_WORKERS_MAX; i++) {
        if (spawning->workers[i] > 0)
            kill(spawning->workers[i], SIGKILL);
    }
}

void spawning_end(struct spawning *spawning)
{
    drop_gifts(spawning);
    spawning_kill(spawning);
    for (size_t i = 0; i < CONFIG_WORKERS_MAX; i++) {
        if (spawning->workers[i] > 0)
            (void)waitpid(spawning->workers[i], NULL, 0);
        spawning->workers[i] = 0;
    }
}

static bool may_give(const struct spawning *spawning, const struct errand *errand, int fd)
{
    if (fd < 0 || errand->number >= ERRAND_GIFT_COUNT)
        return false;
    if (errand->number == ERRAND_GIFT_LISTENER)
        return errand->place <= CONFIG_SLOT_TELEMETRY &&
               spawning->listener_count < SPAWNING_LISTENERS_MAX;
    return errand->place == 0 &&
           (errand->number == ERRAND_GIFT_CHANNEL || spawning->gifts[errand->number] < 0);
}

enum error spawning_give(struct spawning *spawning, const struct errand *errand, int fd)
{
    if (!may_give(spawning, errand, fd)) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    if (errand->number == ERRAND_GIFT_CHANNEL)
        drop_gifts(spawning); /* of one that was not spawned */
    if (errand->number == ERRAND_GIFT_LISTENER) {
        spawning->listeners[spawning->listener_count] = fd;
        spawning->slots[spawning->listener_count++] = errand->place;
    } else {
        spawning->gifts[errand->number] = fd;
    }
    return OK;
}

/* The listeners' slots travel as an argument: "0,0,1". */
static void print_slots(const struct spawning *spawning, char out[SLOTS_BYTES_MAX])
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < spawning->listener_count; i++)
        length += (size_t)snprintf(out + length, SLOTS_BYTES_MAX - length, "%s%u", i > 0 ? "," : "",
                                   spawning->slots[i]);
}

/* Numbers and commas, so that it is no more than that which the worker is started with. */
static bool is_list(const char *text)
{
    return strlen(text) < ERRAND_SLOTS_SIZE && strspn(text, "0123456789,") == strlen(text);
}

static enum error start(const struct spawning *spawning, const struct errand *errand, pid_t *pid,
                        int *pidfd)
{
    int descriptors[2 + SPAWNING_LISTENERS_MAX];
    char listeners[SLOTS_BYTES_MAX], connections[16];
    struct anew anew = {.verb = SPAWN_WORKER_VERB,
                        .arguments = {listeners, errand->text, connections},
                        .descriptors = descriptors,
                        .errors = spawning->gifts[ERRAND_GIFT_ERRORS],
                        .alone = true};

    print_slots(spawning, listeners);
    snprintf(connections, sizeof(connections), "%u", errand->number);
    descriptors[anew.count++] = spawning->gifts[ERRAND_GIFT_CHANNEL];
    descriptors[anew.count++] = spawning->gifts[ERRAND_GIFT_CONFIG];
    for (size_t i = 0; i < spawning->listener_count; i++)
        descriptors[anew.count++] = spawning->listeners[i];
    return anew_start(&anew, pid, pidfd);
}

enum error spawning_start(struct spawning *spawning, const struct errand *errand,
                          struct errand *answer, int *pidfd)
{
    pid_t pid = 0;

    *pidfd = -1;
    if (errand->place >= CONFIG_WORKERS_MAX || !is_list(errand->text) ||
        spawning->workers[errand->place] > 0)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < ERRAND_GIFT_LISTENER; i++) {
        if (spawning->gifts[i] < 0)
            return ERROR_SYNTAX;
    }
    if (start(spawning, errand, &pid, pidfd) == OK)
        spawning->workers[errand->place] = pid;
    drop_gifts(spawning);
    *answer =
        (struct errand){.kind = ERRAND_SPAWNED, .place = errand->place, .number = (uint32_t)pid};
    return OK;
}

bool spawning_reap(struct spawning *spawning, pid_t pid, int status, struct errand *answer)
{
    for (uint32_t i = 0; i < CONFIG_WORKERS_MAX; i++) {
        if (spawning->workers[i] != pid)
            continue;
        spawning->workers[i] = 0;
        *answer = (struct errand){.kind = ERRAND_ENDED, .place = i, .number = (uint32_t)status};
        return true;
    }
    return false;
}
