/* Holders are found by a hash; the keys are ours (ids, users), so nobody chooses them to collide.
 */
#include "policy/quota.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS     4096
#define HOLDERS_MAX 65536

struct held {
    struct held *next; /* in its bucket */
    enum quota row;
    unsigned count;    /* 0 only with accounts */
    unsigned accounts; /* that are open */
    struct quota_holder holder;
};

struct quotas {
    struct held *buckets[BUCKETS];
    size_t holder_count, surface_count;
    struct quota_counts counts[]; /* one a surface */
};

static const struct quota_info table[QUOTA_COUNT] = {
#define QUOTA_ROW(symbol, name, per, limit, yields, reason, text)                                  \
    [QUOTA_##symbol] = {name, QUOTA_PER_##per, limit, QUOTA_##yields, REASON_##reason, text},
    QUOTA_TABLE(QUOTA_ROW)
#undef QUOTA_ROW
};

static const unsigned per_second[QUOTA_COUNT] = {
#define QUOTA_RATE_ROW(symbol, rate) [QUOTA_##symbol] = (rate),
    QUOTA_RATES(QUOTA_RATE_ROW)
#undef QUOTA_RATE_ROW
};

const struct quota_info *quota_info(enum quota row)
{
    return &table[row];
}

unsigned quota_per_second(enum quota row)
{
    return per_second[row];
}

const char *quota_per_text(enum quota_per per)
{
    static const char *const texts[] = {[QUOTA_PER_SESSION] = "session",
                                        [QUOTA_PER_CALLER] = "caller",
                                        [QUOTA_PER_SURFACE] = "surface"};

    return texts[per];
}

/* ---- Holders ---- */

static struct quota_holder holder_of(uint32_t surface, const void *who, size_t length)
{
    struct quota_holder holder = {.surface = surface};

    holder.length = (unsigned char)(length < sizeof(holder.who) ? length : sizeof(holder.who));
    memcpy(holder.who, who, holder.length);
    return holder;
}

struct quota_holder quota_session(uint32_t surface, const char *session_id)
{
    return holder_of(surface, session_id, strlen(session_id));
}

struct quota_holder quota_caller(uint32_t surface, uint32_t uid)
{
    return holder_of(surface, &uid, sizeof(uid));
}

struct quota_holder quota_surface(uint32_t surface)
{
    return holder_of(surface, "", 0);
}

/* ---- What they have ---- */

enum error quotas_create(size_t surface_count, struct quotas **out)
{
    struct quotas *quotas = calloc(1, sizeof(*quotas) + surface_count * sizeof(quotas->counts[0]));

    if (quotas == NULL)
        return ERROR_MEMORY;
    quotas->surface_count = surface_count;
    *out = quotas;
    return OK;
}

void quotas_destroy(struct quotas *quotas)
{
    if (quotas == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (quotas->buckets[i] != NULL) {
            struct held *held = quotas->buckets[i];

            quotas->buckets[i] = held->next;
            free(held);
        }
    }
    free(quotas);
}

struct quota_counts *quotas_counts(struct quotas *quotas, uint32_t surface)
{
    return &quotas->counts[surface];
}

void quota_count(struct quota_counts *total, const struct quota_counts *more)
{
    for (enum quota row = 0; row < QUOTA_COUNT; row++) {
        total->refused[row] += more->refused[row];
        total->gave_way[row] += more->gave_way[row];
    }
}

/* FNV-1a. */
static uint32_t hash(enum quota row, const struct quota_holder *holder)
{
    uint32_t value = (2166136261U ^ (uint32_t)row ^ holder->surface << 8) * 16777619U;

    for (size_t i = 0; i < holder->length; i++)
        value = (value ^ (unsigned char)holder->who[i]) * 16777619U;
    return value;
}

/* The place that points to what a holder has of a row, or to NULL at the end of its bucket. */
static struct held **place_of(struct quotas *quotas, enum quota row,
                              const struct quota_holder *holder)
{
    struct held **at = &quotas->buckets[hash(row, holder) % BUCKETS];

    while (*at != NULL && ((*at)->row != row || (*at)->holder.surface != holder->surface ||
                           (*at)->holder.length != holder->length ||
                           memcmp((*at)->holder.who, holder->who, holder->length) != 0))
        at = &(*at)->next;
    return at;
}

unsigned quota_held(const struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    struct held *const *at = place_of((struct quotas *)(uintptr_t)quotas, row, &holder);

    return *at != NULL ? (*at)->count : 0;
}

/* Makes an entry at its place; NULL without memory. */
static struct held *begin(struct quotas *quotas, struct held **at, enum quota row,
                          const struct quota_holder *holder)
{
    struct held *held = quotas->holder_count < HOLDERS_MAX ? calloc(1, sizeof(*held)) : NULL;

    if (held == NULL)
        return NULL;
    held->row = row;
    held->holder = *holder;
    *at = held;
    quotas->holder_count++;
    return held;
}

/* Forgets who has nothing any more. */
static void settle(struct quotas *quotas, struct held **at)
{
    struct held *held = *at;

    if (held == NULL || held->count > 0 || held->accounts > 0)
        return;
    *at = held->next;
    free(held);
    quotas->holder_count--;
}

bool quota_is_full(const struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    return quota_held(quotas, row, holder) >= table[row].limit;
}

static enum reason refuse(struct quotas *quotas, enum quota row, uint32_t surface)
{
    quotas->counts[surface].refused[row]++;
    return table[row].reason;
}

enum reason quota_take_within(struct quotas *quotas, enum quota row, struct quota_holder holder,
                              unsigned limit)
{
    struct held **at = place_of(quotas, row, &holder), *held = *at;

    if (limit == 0 || (held != NULL && held->count >= limit))
        return refuse(quotas, row, holder.surface);
    if (held == NULL && (held = begin(quotas, at, row, &holder)) == NULL)
        return REASON_CAPACITY;
    held->count++;
    return REASON_ALLOWED;
}

enum reason quota_take(struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    return quota_take_within(quotas, row, holder, table[row].limit);
}

void quota_give(struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    struct held **at = place_of(quotas, row, &holder), *held = *at;

    if (held == NULL || held->count == 0)
        return;
    held->count--;
    settle(quotas, at);
}

void quota_weigh(struct quotas *quotas, enum quota row, struct quota_holder holder, size_t before,
                 size_t now)
{
    struct held **at = place_of(quotas, row, &holder), *held = *at;
    size_t rest = held != NULL && held->count > before ? held->count - before : 0;

    if (held == NULL && (rest + now == 0 || (held = begin(quotas, at, row, &holder)) == NULL))
        return;
    held->count = rest + now > UINT_MAX ? UINT_MAX : (unsigned)(rest + now);
    settle(quotas, at);
}

void quota_give_way(struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    quotas->counts[holder.surface].gave_way[row]++;
    quota_give(quotas, row, holder);
}

/* ---- Accounts ---- */

enum error quota_account_open(struct quotas *quotas, enum quota row, struct quota_holder holder,
                              struct quota_account *out)
{
    struct held **at = place_of(quotas, row, &holder), *held = *at;

    if (held == NULL && (held = begin(quotas, at, row, &holder)) == NULL)
        return ERROR_MEMORY;
    held->accounts++;
    *out = (struct quota_account){quotas, held};
    return OK;
}

void quota_account_close(struct quota_account *account)
{
    struct held *held = account->held;

    if (held == NULL)
        return;
    held->accounts--;
    if (held->accounts == 0)
        settle(account->quotas, place_of(account->quotas, held->row, &held->holder));
    *account = (struct quota_account){0};
}

enum reason quota_account_take(const struct quota_account *account)
{
    struct held *held = account->held;

    if (held == NULL)
        return REASON_ALLOWED;
    if (held->count >= table[held->row].limit)
        return refuse(account->quotas, held->row, held->holder.surface);
    held->count++;
    return REASON_ALLOWED;
}

void quota_account_give(const struct quota_account *account)
{
    if (account->held != NULL)
        account->held->count--;
}

/* ---- Rates ---- */

static uint64_t still_spent(const struct quota_rate *rate, uint64_t now_ms)
{
    uint64_t passed = now_ms - rate->seen_ms;

    return passed < rate->spent_ms ? rate->spent_ms - passed : 0;
}

/* A leaky bucket in units of time: each costs what time pays back. */
bool quota_spend(struct quota_rate *rate, enum quota row, uint64_t now_ms)
{
    uint64_t cost_ms = 1000 / per_second[row];

    rate->spent_ms = still_spent(rate, now_ms);
    rate->seen_ms = now_ms;
    if (rate->spent_ms + cost_ms > table[row].limit * cost_ms)
        return false;
    rate->spent_ms += cost_ms;
    return true;
}

bool quota_rested(const struct quota_rate *rate, uint64_t now_ms)
{
    return still_spent(rate, now_ms) == 0;
}
