#include "worker/client/reports.h"

#include "vet/vet.h"

#include <stdlib.h>
#include <string.h>

/* A session whose messages are refused: kept until its allowance is whole and all is told. */
struct reported {
    struct hash_entry entry; /* of worker->reported */
    struct reported *next;   /* of worker->all_reported */
    uint32_t surface;
    char session_id[IPC_SESSION_ID_SIZE];
    struct quota_rate rate;
    uint64_t suppressed; /* not told yet */
    unsigned beyond;     /* the client's messages that were refused beyond the allowance */
};

static uint64_t hash_of(uint32_t surface, const char *session_id)
{
    return hash_text(surface, session_id);
}

static struct reported *find(struct worker *worker, uint32_t surface, const char *session_id)
{
    struct hash_entry *entry = hash_first(&worker->reported, hash_of(surface, session_id));
    struct reported *reported;

    for (; entry != NULL; entry = hash_next(entry)) {
        reported = HASH_OWNER(entry, struct reported, entry);
        if (reported->surface == surface && strcmp(reported->session_id, session_id) == 0)
            return reported;
    }
    return NULL;
}

static void tell_suppressed(struct worker *worker, struct reported *reported)
{
    const struct ipc_suppressed told = {.surface = reported->surface,
                                        .session_id = reported->session_id,
                                        .count = reported->suppressed};

    if (reported->suppressed > 0 && worker_tell(worker, IPC_SUPPRESSED, &told))
        reported->suppressed = 0;
}

static struct reported *add(struct worker *worker, uint32_t surface, const char *session_id)
{
    struct reported *reported = NULL;

    if (worker->reported.count < REPORTS_SESSIONS_MAX)
        reported = calloc(1, sizeof(*reported));
    if (reported == NULL)
        return NULL;
    reported->surface = surface;
    memcpy(reported->session_id, session_id, strlen(session_id) + 1);
    hash_add(&worker->reported, &reported->entry, hash_of(surface, session_id));
    reported->next = worker->all_reported;
    worker->all_reported = reported;
    return reported;
}

/* What the client hears of it: it waits longer each time, until there is no next time. */
static struct report_verdict slow_down(struct reported *reported)
{
    reported->beyond++;
    return (struct report_verdict){.pause_ms = (uint64_t)REPORTS_PAUSE_MS * reported->beyond,
                                   .cut = reported->beyond > REPORTS_BEYOND_MAX};
}

struct report_verdict reports_refused(struct worker *worker, const char *session_id,
                                      const struct ipc_refused *refused)
{
    struct report_verdict verdict = {0};
    struct reported *reported = find(worker, refused->surface, session_id);

    if (reported == NULL)
        reported = add(worker, refused->surface, session_id);
    if (reported != NULL && quota_spend(&reported->rate, QUOTA_REPORTS, worker_now_ms(worker)) &&
        worker_tell(worker, IPC_REFUSED, refused))
        return verdict;
    quotas_counts(worker->quotas, refused->surface)->refused[QUOTA_REPORTS]++;
    if (reported == NULL)
        return verdict;
    reported->suppressed++;
    /* In observe mode nothing is refused, and what a service says is not the client's doing. */
    if (!refused->observed && refused->direction == DIRECTION_C2S)
        verdict = slow_down(reported);
    return verdict;
}

void reports_ended(struct worker *worker, uint32_t surface, const char *session_id)
{
    struct reported *reported = find(worker, surface, session_id);

    if (reported != NULL)
        tell_suppressed(worker, reported);
}

/* Whether there is nothing left to remember of a session. */
static bool settle(struct worker *worker, struct reported *reported, bool last)
{
    uint64_t now_ms = worker_now_ms(worker);

    if (last || (reported->suppressed > 0 && quota_spend(&reported->rate, QUOTA_REPORTS, now_ms)))
        tell_suppressed(worker, reported);
    return last || (reported->suppressed == 0 && quota_rested(&reported->rate, now_ms));
}

static void forget(struct worker *worker, struct reported **at)
{
    struct reported *reported = *at;

    *at = reported->next;
    hash_remove(&worker->reported, &reported->entry);
    free(reported);
}

void reports_settle(struct worker *worker, bool last)
{
    struct reported **at = &worker->all_reported;

    while (*at != NULL) {
        if (settle(worker, *at, last))
            forget(worker, at);
        else
            at = &(*at)->next;
    }
}

bool reports_vacate(struct worker *worker, uint32_t surface)
{
    struct reported **at = &worker->all_reported;
    bool told = true;

    while (*at != NULL) {
        if ((*at)->surface == surface)
            tell_suppressed(worker, *at);
        if ((*at)->surface == surface && (*at)->suppressed == 0) {
            forget(worker, at);
        } else {
            told = told && (*at)->surface != surface;
            at = &(*at)->next;
        }
    }
    return told;
}
