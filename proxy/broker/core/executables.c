#include "broker/core/executables.h"

#include "system/executable.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct known {
    struct lane_job job; /* first */
    struct executables *all;
    enum { FREE = 0, COMPUTING, TELLING, KNOWN } state;
    struct executable_identity identity;
    char *path; /* while it is computed */
    enum error error;
    char sha256[SHA256_HEX_SIZE];
    bool settled; /* a change would have shown in the identity */
    uint64_t used;
    struct executables_wait *waiting;
};

struct executables {
    struct lane *lane;
    uint64_t asked; /* counts questions */
    atomic_bool stopping;
    struct known known[EXECUTABLES_KNOWN_MAX];
};

/* One question; the context of facts(). */
struct look {
    struct executables *all;
    struct known *missing; /* the digest that it wants next */
};

enum error executables_create(struct executables **out)
{
    struct executables *executables = calloc(1, sizeof(*executables));
    enum error error =
        executables != NULL ? lane_create("files", &executables->lane) : ERROR_MEMORY;

    if (error == OK)
        *out = executables;
    else
        free(executables);
    return error;
}

void executables_destroy(struct executables *executables)
{
    if (executables == NULL)
        return;
    lane_destroy(executables->lane);
    free(executables);
}

void executables_stop(struct executables *executables)
{
    executables->stopping = true;
    lane_finish(executables->lane);
}

struct lane *executables_lane(const struct executables *executables)
{
    return executables->lane;
}

static struct known *find(struct executables *executables,
                          const struct executable_identity *identity)
{
    for (size_t i = 0; i < EXECUTABLES_KNOWN_MAX; i++) {
        struct known *known = &executables->known[i];

        if (known->state != FREE && executable_same(&known->identity, identity))
            return known;
    }
    return NULL;
}

/* A free place, or that of the digest which nobody has asked for the longest. */
static struct known *find_place(struct executables *executables)
{
    struct known *oldest = NULL;

    for (size_t i = 0; i < EXECUTABLES_KNOWN_MAX; i++) {
        struct known *known = &executables->known[i];

        if (known->state == FREE)
            return known;
        if (known->state == KNOWN && (oldest == NULL || known->used < oldest->used))
            oldest = known;
    }
    return oldest;
}

static void compute(struct lane_job *job)
{
    struct known *known = (struct known *)job;

    if (known->state != COMPUTING) /* only the turn is over */
        return;
    known->error = known->all->stopping ? ERROR_STATE
                                        : executable_hash(known->path, &known->identity,
                                                          known->sha256, &known->settled);
}

static void put_on(struct executables_wait *wait, struct known *known)
{
    wait->next = known->waiting;
    wait->at = &known->waiting;
    if (wait->next != NULL)
        wait->next->at = &wait->next;
    known->waiting = wait;
}

static void take_off(struct executables_wait *wait)
{
    *wait->at = wait->next;
    if (wait->next != NULL)
        wait->next->at = wait->at;
    wait->at = NULL;
}

/*
 * Those who wait are told while it holds for certain, and then it is remembered if it will. The
 * many who are left go on in another turn of the loop, with a new digest if need be.
 */
static void tell(struct lane_job *job)
{
    struct known *known = (struct known *)job;
    struct executables_wait *wait;

    known->state = TELLING;
    for (unsigned i = 0; i < EXECUTABLES_TOLD_PER_TURN && (wait = known->waiting) != NULL; i++) {
        take_off(wait);
        wait->known(wait);
    }
    if (known->waiting != NULL) {
        known->state = known->error == OK && known->settled ? TELLING : COMPUTING;
        lane_give(known->all->lane, &known->job);
        return;
    }
    free(known->path);
    known->path = NULL;
    known->state = known->error == OK && known->settled ? KNOWN : FREE;
}

static struct known *start(struct executables *executables, const char *path,
                           const struct executable_identity *identity)
{
    struct known *known = find_place(executables);
    char *copy = known != NULL ? strdup(path) : NULL;

    if (copy == NULL)
        return NULL;
    *known = (struct known){.job = {.work = compute, .done = tell},
                            .all = executables,
                            .state = COMPUTING,
                            .identity = *identity,
                            .path = copy};
    lane_give(executables->lane, &known->job);
    return known;
}

/* An exec_facts_source. */
static enum error facts(void *context, const char *path, bool hash, struct exec_facts *out)
{
    struct look *look = context;
    struct executable_identity identity;
    struct exec_facts found;
    struct known *known;

    executable_look(path, &found, &identity);
    if (hash && found.exists) {
        known = find(look->all, &identity);
        if (known == NULL)
            known = start(look->all, found.resolved, &identity);
        if (known == NULL)
            return ERROR_LIMIT;
        if (known->state == COMPUTING) {
            look->missing = known;
            return ERROR_STATE;
        }
        if (known->error != OK)
            return known->error;
        known->used = ++look->all->asked;
        memcpy(found.sha256, known->sha256, sizeof(found.sha256));
    }
    *out = found;
    return OK;
}

enum error executables_check(struct executables *executables, const struct config *config,
                             const struct params *params, struct executables_wait *wait, char *why,
                             size_t why_size)
{
    struct look look = {executables, NULL};
    enum error error = exec_policy_check(config, params, facts, &look, why, why_size);

    /* A command that another rule permitted needs no digest. */
    if (error == OK || look.missing == NULL)
        return error;
    if (wait != NULL)
        put_on(wait, look.missing);
    return ERROR_STATE;
}

void executables_forget(struct executables_wait *wait)
{
    if (wait->at != NULL)
        take_off(wait);
}
