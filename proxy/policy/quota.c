/* Holders are found by a hash; the keys are ours (ids, users): nobody chooses them to collide. */
#include "policy/quota.h"

#include "base/hash.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HOLDERS_MAX 65536

struct held {
    struct hash_entry entry;
    enum quota row;
    unsigned count;    /* 0 only with accounts */
    unsigned accounts; /* that are open */
    struct quota_holder holder;
};

struct quotas {
    struct hash_table holders;
    size_t surface_count;
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
    struct hash_entry *entry;
    size_t bucket = 0;

    if (quotas == NULL)
        return;
    while ((entry = hash_any(&quotas->holders, &bucket)) != NULL) {
        hash_remove(&quotas->holders, entry);
        free(HASH_OWNER(entry, struct held, entry));
    }
    hash_clear(&quotas->holders);
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

static uint64_t hash_of(enum quota row, const struct quota_holder *holder)
{
    return hash_bytes((uint64_t)row << 32 | holder->surface, holder->who, holder->length);
}

/* What a holder has of a row; NULL: nothing. */
static struct held *find(const struct quotas *quotas, enum quota row,
                         const struct quota_holder *holder)
{
    struct hash_entry *entry = hash_first(&quotas->holders, hash_of(row, holder));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct held *held = HASH_OWNER(entry, struct held, entry);

        if (held->row == row && held->holder.surface == holder->surface &&
            held->holder.length == holder->length &&
            memcmp(held->holder.who, holder->who, holder->length) == 0)
            return held;
    }
    return NULL;
}

unsigned quota_held(const struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    const struct held *held = find(quotas, row, &holder);

    return held != NULL ? held->count : 0;
}

/* NULL without memory. */
static struct held *begin(struct quotas *quotas, enum quota row, const struct quota_holder *holder)
{
    struct held *held = quotas->holders.count < HOLDERS_MAX ? calloc(1, sizeof(*held)) : NULL;

    if (held == NULL)
        return NULL;
    held->row = row;
    held->holder = *holder;
    hash_add(&quotas->holders, &held->entry, hash_of(row, holder));
    return held;
}

/* Forgets who has nothing any more. */
static void settle(struct quotas *quotas, struct held *held)
{
    if (held == NULL || held->count > 0 || held->accounts > 0)
        return;
    hash_remove(&quotas->holders, &held->entry);
    free(held);
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
    struct held *held = find(quotas, row, &holder);

    if (limit == 0 || (held != NULL && held->count >= limit))
        return refuse(quotas, row, holder.surface);
    if (held == NULL && (held = begin(quotas, row, &holder)) == NULL)
        return REASON_OUT_OF_MEMORY;
    held->count++;
    return REASON_ALLOWED;
}

enum reason quota_take(struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    return quota_take_within(quotas, row, holder, table[row].limit);
}

void quota_give(struct quotas *quotas, enum quota row, struct quota_holder holder)
{
    struct held *held = find(quotas, row, &holder);

    if (held == NULL || held->count == 0)
        return;
    held->count--;
    settle(quotas, held);
}

void quota_weigh(struct quotas *quotas, enum quota row, struct quota_holder holder, size_t before,
                 size_t now)
{
    struct held *held = find(quotas, row, &holder);
    size_t rest = held != NULL && held->count > before ? held->count - before : 0;

    if (held == NULL && (rest + now == 0 || (held = begin(quotas, row, &holder)) == NULL))
        return;
    held->count = rest + now > UINT_MAX ? UINT_MAX : (unsigned)(rest + now);
    settle(quotas, held);
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
    struct held *held = find(quotas, row, &holder);

    if (held == NULL && (held = begin(quotas, row, &holder)) == NULL)
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
        settle(account->quotas, held);
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
