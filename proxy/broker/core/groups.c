#include "broker/core/groups.h"

#include <stdlib.h>

struct known {
    struct lane_job job; /* first */
    struct groups *all;
    uv_timer_t timer; /* of patience; then of the turns in which they are told */
    /* LATE: nobody waits for it any more, but the thread is still at it. */
    enum { FREE = 0, LOOKING, LATE, KNOWN } state;
    uint32_t uid;
    uint64_t since, used; /* `since`: when it was asked for; of a failure, when it was known */
    enum error error;
    struct user_groups found;
    struct groups_wait *waiting;
};

struct groups {
    struct lane *lane;
    uv_loop_t *loop;
    groups_source *source;
    uint64_t asked; /* counts questions */
    size_t looking; /* of which the thread is not done */
    struct known known[GROUPS_KNOWN_MAX];
};

enum error groups_create(uv_loop_t *loop, groups_source *source, struct groups **out)
{
    struct groups *groups = calloc(1, sizeof(*groups));
    enum error error = groups != NULL ? lane_create("groups", &groups->lane) : ERROR_MEMORY;

    if (error != OK) {
        free(groups);
        return error;
    }
    groups->loop = loop;
    groups->source = source;
    for (size_t i = 0; i < GROUPS_KNOWN_MAX; i++) {
        struct known *known = &groups->known[i];

        known->all = groups;
        (void)uv_timer_init(loop, &known->timer); /* which never fails */
        known->timer.data = known;
    }
    *out = groups;
    return OK;
}

void groups_destroy(struct groups *groups)
{
    if (groups == NULL)
        return;
    if (groups->looking > 0) {
        lane_leave(groups->lane);
        return;
    }
    lane_destroy(groups->lane);
    for (size_t i = 0; i < GROUPS_KNOWN_MAX; i++)
        user_groups_clear(&groups->known[i].found);
    free(groups);
}

struct lane *groups_lane(const struct groups *groups)
{
    return groups->lane;
}

/* ---- Those who wait ---- */

static void put_on(struct groups_wait *wait, struct known *known)
{
    wait->next = known->waiting;
    wait->at = &known->waiting;
    if (wait->next != NULL)
        wait->next->at = &wait->next;
    known->waiting = wait;
}

static void take_off(struct groups_wait *wait)
{
    *wait->at = wait->next;
    if (wait->next != NULL)
        wait->next->at = wait->at;
    wait->at = NULL;
}

void groups_forget(struct groups_wait *wait)
{
    if (wait->at != NULL)
        take_off(wait);
}

/* Some; the others in the next turn of the loop. */
static void tell(uv_timer_t *timer)
{
    struct known *known = timer->data;
    struct groups_wait *wait;

    if (known->state == LOOKING)
        known->state = LATE;
    for (unsigned i = 0; i < GROUPS_TOLD_PER_TURN && (wait = known->waiting) != NULL; i++) {
        take_off(wait);
        wait->known(wait);
    }
    if (known->waiting != NULL)
        (void)uv_timer_start(&known->timer, tell, 0, 0);
}

/* ---- Looking up ---- */

static void look(struct lane_job *job)
{
    struct known *known = (struct known *)job;

    known->error = known->all->source(known->uid, &known->found);
}

static void on_found(struct lane_job *job)
{
    struct known *known = (struct known *)job;

    known->all->looking--;
    known->state = KNOWN;
    if (known->error != OK)
        known->since = uv_now(known->all->loop);
    if (!uv_is_closing((uv_handle_t *)&known->timer))
        tell(&known->timer);
}

static bool is_old(const struct known *known)
{
    uint64_t age = uv_now(known->all->loop) - known->since;

    return known->state == KNOWN && known->waiting == NULL &&
           age >= (known->error == OK ? GROUPS_AGE_MS : GROUPS_FAILED_AGE_MS);
}

static struct known *find(struct groups *groups, uint32_t uid)
{
    for (size_t i = 0; i < GROUPS_KNOWN_MAX; i++) {
        struct known *known = &groups->known[i];

        if (known->state != FREE && known->uid == uid)
            return known;
    }
    return NULL;
}

/* A free place, or that of the user who has not called for the longest. */
static struct known *find_place(struct groups *groups)
{
    struct known *oldest = NULL;

    for (size_t i = 0; i < GROUPS_KNOWN_MAX; i++) {
        struct known *known = &groups->known[i];

        if (known->state == FREE)
            return known;
        if (known->state == KNOWN && known->waiting == NULL &&
            (oldest == NULL || known->used < oldest->used))
            oldest = known;
    }
    return oldest;
}

static void start(struct known *known, uint32_t uid)
{
    struct groups *groups = known->all;

    user_groups_clear(&known->found);
    known->job = (struct lane_job){.work = look, .done = on_found};
    known->state = LOOKING;
    known->uid = uid;
    known->since = uv_now(groups->loop);
    (void)uv_timer_start(&known->timer, tell, GROUPS_PATIENCE_MS, 0);
    groups->looking++;
    lane_give(groups->lane, &known->job);
}

enum error groups_find(struct groups *groups, uint32_t uid, struct groups_wait *wait,
                       const struct user_groups **out)
{
    struct known *known = find(groups, uid);

    if (known == NULL || is_old(known)) {
        known = known != NULL ? known : find_place(groups);
        if (known == NULL)
            return ERROR_LIMIT;
        start(known, uid);
    }
    known->used = ++groups->asked;
    if (known->state == LATE)
        return ERROR_IO;
    if (known->state == KNOWN) {
        *out = &known->found;
        return known->error;
    }
    if (wait != NULL)
        put_on(wait, known);
    return ERROR_STATE;
}
