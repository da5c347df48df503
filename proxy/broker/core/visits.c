#include "broker/core/visits.h"

#include "broker/core/journal.h"
#include "broker/core/launcher_line.h"
#include "broker/core/service_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct visit {
    struct visit *next;
    uint32_t slot;
    char session[TOKEN_ID_SIZE];
    uint32_t number; /* of the last VISIT */
    int64_t expires_at;
    bool ended; /* which was said */
};

/* It is among them until the launcher says that nothing of it is left. */
static void end(const struct visits *visits, struct visit *visit)
{
    if (visit->ended || visits->line == NULL)
        return;
    visit->ended = true;
    launcher_line_say(
        visits->line,
        &(struct errand){.kind = ERRAND_LEAVE, .place = visit->slot, .text = visit->session});
}

/* It may have been renewed meanwhile. */
static bool is_over(const struct visits *visits, struct visit *visit, int64_t now)
{
    struct session session = {0};
    bool lives;

    if (now < visit->expires_at)
        return false;
    lives = store_session_get(visits->gate->store, visit->session, &session) == OK &&
            reason_allows(session_ended(&session, now));
    if (lives)
        visit->expires_at = session.expires_at;
    session_clear(&session);
    return !lives;
}

static void on_timer(uv_timer_t *timer)
{
    struct visits *visits = timer->data;

    for (struct visit *visit = visits->first; visit != NULL; visit = visit->next) {
        if (!visit->ended && is_over(visits, visit, clock_now()))
            end(visits, visit);
    }
}

void visits_open(struct visits *visits, struct gate *gate)
{
    visits->gate = gate;
    uv_timer_init(&gate->loop, &visits->timer);
    visits->timer.data = visits;
}

void visits_clear(struct visits *visits)
{
    while (visits->first != NULL) {
        struct visit *visit = visits->first;

        visits->first = visit->next;
        free(visit);
    }
}

static struct visit **find(struct visits *visits, uint32_t slot, const char *session)
{
    struct visit **at = &visits->first;

    while (*at != NULL && ((*at)->slot != slot || strcmp((*at)->session, session) != 0))
        at = &(*at)->next;
    return at;
}

enum error visits_add(struct visits *visits, const struct errand *errand, int64_t expires_at)
{
    const char *session = errand->text;
    const uint32_t slot = errand->place;
    struct visit *visit = *find(visits, slot, session);

    if (visit == NULL) {
        visit = calloc(1, sizeof(*visit));
        if (visit == NULL)
            return ERROR_MEMORY;
        visit->slot = slot;
        snprintf(visit->session, sizeof(visit->session), "%s", session);
        visit->next = visits->first;
        visits->first = visit;
    }
    visit->number = errand->number;
    visit->expires_at = expires_at;
    visit->ended = false;
    uv_timer_start(&visits->timer, on_timer, VISITS_LOOK_MS, VISITS_LOOK_MS);
    return OK;
}

static void take_out(struct visits *visits, struct visit **at)
{
    struct visit *visit = *at;

    *at = visit->next;
    free(visit);
    if (visits->first == NULL)
        uv_timer_stop(&visits->timer);
}

void visits_remove_slot(struct visits *visits, uint32_t slot)
{
    struct visit **at = &visits->first;

    while (*at != NULL) {
        if ((*at)->slot == slot)
            take_out(visits, at);
        else
            at = &(*at)->next;
    }
}

void visits_lose(struct visits *visits)
{
    visits->line = NULL;
    while (visits->first != NULL)
        take_out(visits, &visits->first);
}

enum error visits_take(struct visits *visits, const struct surface_state *surface,
                       const struct errand *errand)
{
    struct visit **at = find(visits, errand->place, errand->text);

    if (errand->kind == ERRAND_LEFT) {
        if (*at != NULL && (*at)->number == errand->number) /* else another is on its way */
            take_out(visits, at);
        return OK;
    }
    if (errand->number >= QUOTA_COUNT || !text_is_hex(errand->text, TOKEN_ID_SIZE - 1))
        return ERROR_SYNTAX;
    service_log_refused(visits->gate, surface, errand->text, (enum quota)errand->number);
    return OK;
}

void visits_cut(struct visits *visits, const char *session)
{
    for (struct visit *visit = visits->first; visit != NULL; visit = visit->next) {
        if (session == NULL || strcmp(visit->session, session) == 0)
            end(visits, visit);
    }
}
