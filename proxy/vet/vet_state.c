#include "vet/vet_state.h"

#include "vet/refusal.h"

#include <stdlib.h>
#include <string.h>

enum error vet_state_create(struct quotas *quotas, struct quota_holder holder,
                            struct vet_state **out)
{
    struct vet_state *state = calloc(1, sizeof(*state));

    if (state == NULL || (quotas != NULL && quota_account_open(quotas, QUOTA_OUTSTANDING, holder,
                                                               &state->account) != OK)) {
        free(state);
        return ERROR_MEMORY;
    }
    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        state->outstanding[i].account = &state->account;
    *out = state;
    return OK;
}

void vet_state_destroy(struct vet_state *state)
{
    if (state == NULL)
        return;
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        outstanding_clear(&state->outstanding[i]);
        if (state->memories != NULL)
            outstanding_clear(&state->memories->cancelled[i].list);
    }
    if (state->memories != NULL) {
        outstanding_clear(&state->memories->answered.list);
        outstanding_clear(&state->memories->asked.list);
    }
    free(state->memories);
    quota_account_close(&state->account);
    free(state);
}

void vet_state_share(struct vet_state *state, struct vet_state *other)
{
    state->shared = other;
}

/* Without memory there is nothing to remember. */
static struct memories *memories_of(struct vet_state *state)
{
    if (state->memories == NULL)
        state->memories = calloc(1, sizeof(*state->memories));
    return state->memories;
}

/* Keeps a request among the last `most`, in the place of the oldest. */
static void keep(struct recent *recent, unsigned most, const struct outstanding_request *of)
{
    struct outstanding *list = &recent->list;
    int place = outstanding_find(list, of->id);

    if (place < 0 && list->count == most) {
        place = recent->oldest;
        /* Removal puts the last one in the place that is freed, so the last place never is. */
        recent->oldest = (uint16_t)((recent->oldest + 1) % (most - 1));
    }
    if (place >= 0)
        outstanding_remove(list, place);
    /* Without memory there is one less. */
    (void)outstanding_add(list, of);
}

/* Where requests of that direction wait. */
static struct outstanding *waiting(struct vet_state *state, enum direction direction)
{
    return direction == DIRECTION_S2C && state->shared != NULL && memories_of(state->shared) != NULL
               ? &state->shared->memories->asked.list
               : &state->outstanding[direction];
}

struct vet_place vet_state_find(struct vet_state *state, enum direction direction,
                                struct span id_key)
{
    struct outstanding *list = waiting(state, direction);
    struct vet_place place = {list, outstanding_find(list, id_key)};

    if (place.at < 0 && state->memories != NULL) {
        place.list = &state->memories->cancelled[direction].list;
        place.at = outstanding_find(place.list, id_key);
    }
    return place;
}

struct vet_place vet_state_find_answered(struct vet_state *state, struct span id_key)
{
    struct outstanding *list = state->memories != NULL ? &state->memories->answered.list : NULL;

    return (struct vet_place){list, list != NULL ? outstanding_find(list, id_key) : -1};
}

bool vet_state_waits(const struct vet_state *state, const char *id_key)
{
    return outstanding_find(&state->outstanding[DIRECTION_C2S], span_of(id_key)) >= 0;
}

/*
 * Whether the answer to what was cancelled may still come, and would be vetted as another verb's:
 * of two answers with one id nobody knows which is which.
 */
static bool is_other_cancelled(const struct vet_state *state, const struct outstanding_request *of)
{
    const struct outstanding *list =
        state->memories != NULL ? &state->memories->cancelled[DIRECTION_C2S].list : NULL;
    int place = list != NULL ? outstanding_find(list, of->id) : -1;

    return place >= 0 && !span_same(outstanding_at(list, place).verb, of->verb);
}

enum reason vet_state_add(struct vet_state *state, enum direction direction,
                          const struct outstanding_request *of)
{
    struct outstanding *list = waiting(state, direction);
    int place;

    if (direction == DIRECTION_C2S && is_other_cancelled(state, of))
        return REASON_REQUEST_ID_REUSED;
    if (list == &state->outstanding[direction])
        return outstanding_add(list, of);
    /* A service that has no sessions may count from the start in each exchange. */
    place = outstanding_find(list, of->id);
    if (place >= 0)
        outstanding_repeat(list, place);
    else
        keep(&state->shared->memories->asked, VET_ASKED_MAX, of);
    return REASON_ALLOWED;
}

void vet_state_settle(struct vet_state *state, struct vet_place place, bool again)
{
    if (place.at < 0 || (state->memories != NULL && place.list == &state->memories->answered.list))
        return;
    if (outstanding_take_one(place.list, place.at))
        return;
    if (again && memories_of(state) != NULL) {
        const struct outstanding_request request = outstanding_at(place.list, place.at);

        keep(&state->memories->answered, VET_ANSWERED_MAX, &request);
    }
    outstanding_remove(place.list, place.at);
}

void vet_state_cancel(struct vet_state *state, enum direction direction, struct span id_key)
{
    struct outstanding *list = waiting(state, direction);
    int at = outstanding_find(list, id_key);

    if (at < 0)
        return;
    if (memories_of(state) != NULL)
        keep(&state->memories->cancelled[direction], VET_CANCELLED_MAX,
             &(struct outstanding_request){.id = outstanding_at(list, at).id,
                                           .verb = outstanding_at(list, at).verb});
    outstanding_remove(list, at);
}

void vet_state_forget(struct vet_state *state, enum direction direction, const char *id_key)
{
    struct outstanding *list = waiting(state, direction);
    int place = outstanding_find(list, span_of(id_key));

    if (place >= 0)
        outstanding_remove(list, place);
}

void vet_state_let_go(struct vet_state *state, const char *id_key)
{
    struct outstanding *list = &state->outstanding[DIRECTION_C2S];
    int place = outstanding_find(list, span_of(id_key));

    if (place >= 0)
        outstanding_let_go(list, place);
}

static bool is_ended(bool adrift, const struct vet_ending *ending)
{
    return ending->all ? !(adrift && ending->awaited) : adrift;
}

static int find_ended(const struct outstanding *list, const struct vet_ending *ending)
{
    int place = list->count;

    if (ending->id_key != NULL)
        return outstanding_find(list, span_of(ending->id_key));
    while (--place >= 0 && !is_ended(outstanding_at(list, place).adrift, ending))
        ;
    return place;
}

bool vet_state_fail(struct vet_state *state, const struct vet_ending *ending, struct buffer *client,
                    struct buffer *service)
{
    struct outstanding *list = &state->outstanding[DIRECTION_C2S];
    int place = find_ended(list, ending);
    struct outstanding_request request;

    if (place < 0)
        return false;
    request = outstanding_at(list, place);
    if (client != NULL)
        refusal_append_lost(client, ending->vocabulary, &request, ending->reason);
    if (service != NULL && !request.answered)
        refusal_append_cancel(service, ending->vocabulary, &request, ending->reason);
    /* Whoever was told nothing may still read an answer that is under way. */
    if (ending->awaited)
        outstanding_let_go(list, place);
    else if (client == NULL)
        vet_state_cancel(state, DIRECTION_C2S, request.id);
    else
        outstanding_remove(list, place);
    return true;
}
