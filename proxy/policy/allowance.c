#include "policy/allowance.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ALLOWANCES_MAX 65536
#define ELAPSED_MAX    ((uint64_t)INT32_MAX) /* times a rate of 32 bits it is 63 bits */

/* What was spent is in thousandths, so that a millisecond pays back as many as there are a second.
 */
struct rate {
    uint64_t spent, seen_ms;
    uint64_t pressed_ms; /* since when it was beyond its allowance again and again; 0: it is not */
    uint32_t per_second; /* 0: not limited */
};

struct allowance {
    struct hash_entry entry;
    struct allowance *next;
    unsigned users;
    struct quota_holder holder;
    struct rate rates[ALLOWANCE_KINDS];
};

struct allowances {
    struct hash_table holders;
    struct allowance *all;
};

static const struct kind {
    enum quota row;
    size_t limit; /* offset */
} kinds[ALLOWANCE_KINDS] = {
#define KIND(symbol, quota, field)                                                                 \
    [ALLOWANCE_##symbol] = {QUOTA_##quota, offsetof(struct surface_limits, field)}
    KIND(REQUESTS, REQUESTS, requests_per_second),
    KIND(MESSAGES, MESSAGES, messages_per_second),
    KIND(BYTES, BYTES, bytes_per_second),
    KIND(CONNECTIONS, NEW_CONNECTIONS, connections_per_second),
#undef KIND
};

enum quota allowance_row(enum allowance_of what)
{
    return kinds[what].row;
}

uint32_t allowance_per_second(const struct surface_limits *limits, enum allowance_of what)
{
    uint32_t per_second;

    memcpy(&per_second, (const char *)limits + kinds[what].limit, sizeof(per_second));
    return per_second;
}

/* ---- Who has one ---- */

enum error allowances_create(struct allowances **out)
{
    struct allowances *allowances = calloc(1, sizeof(*allowances));

    if (allowances == NULL)
        return ERROR_MEMORY;
    *out = allowances;
    return OK;
}

static void forget(struct allowances *allowances, struct allowance **at)
{
    struct allowance *allowance = *at;

    *at = allowance->next;
    hash_remove(&allowances->holders, &allowance->entry);
    free(allowance);
}

void allowances_destroy(struct allowances *allowances)
{
    if (allowances == NULL)
        return;
    while (allowances->all != NULL)
        forget(allowances, &allowances->all);
    hash_clear(&allowances->holders);
    free(allowances);
}

static uint64_t hash_of(const struct quota_holder *holder)
{
    return hash_bytes(holder->surface, holder->who, holder->length);
}

static bool is_of(const struct allowance *allowance, const struct quota_holder *holder)
{
    return allowance->holder.surface == holder->surface &&
           allowance->holder.length == holder->length &&
           memcmp(allowance->holder.who, holder->who, holder->length) == 0;
}

static struct allowance *find(const struct allowances *allowances,
                              const struct quota_holder *holder)
{
    struct hash_entry *entry = hash_first(&allowances->holders, hash_of(holder));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct allowance *allowance = HASH_OWNER(entry, struct allowance, entry);

        if (is_of(allowance, holder))
            return allowance;
    }
    return NULL;
}

struct allowance *allowance_open(struct allowances *allowances, struct quota_holder holder,
                                 const struct surface_limits *limits)
{
    struct allowance *allowance = find(allowances, &holder);

    if (allowance == NULL) {
        if (allowances->holders.count >= ALLOWANCES_MAX)
            return NULL;
        allowance = calloc(1, sizeof(*allowance));
        if (allowance == NULL)
            return NULL;
        allowance->holder = holder;
        for (enum allowance_of what = 0; what < ALLOWANCE_KINDS; what++)
            allowance->rates[what].per_second = allowance_per_second(limits, what);
        hash_add(&allowances->holders, &allowance->entry, hash_of(&holder));
        allowance->next = allowances->all;
        allowances->all = allowance;
    }
    allowance->users++;
    return allowance;
}

void allowance_close(struct allowance *allowance)
{
    if (allowance != NULL)
        allowance->users--;
}

/* ---- What it has spent ---- */

static void reckon(struct rate *rate, uint64_t now_ms)
{
    uint64_t elapsed = now_ms - rate->seen_ms;
    uint64_t paid = (elapsed < ELAPSED_MAX ? elapsed : ELAPSED_MAX) * rate->per_second;

    rate->spent = paid < rate->spent ? rate->spent - paid : 0;
    rate->seen_ms = now_ms;
}

static uint64_t whole(const struct rate *rate)
{
    return (uint64_t)rate->per_second * 1000;
}

/* Whether there is as much; if not, the party is pressed until half of its allowance is back. */
static bool is_there(struct rate *rate, uint64_t cost, uint64_t now_ms)
{
    reckon(rate, now_ms);
    if (rate->spent <= whole(rate) / 2)
        rate->pressed_ms = 0;
    if (rate->spent + cost <= whole(rate))
        return true;
    if (rate->pressed_ms == 0)
        rate->pressed_ms = now_ms;
    return false;
}

/* Nor is it waited for. */
static bool is_beyond(const struct rate *rate, uint64_t now_ms)
{
    return now_ms - rate->pressed_ms >= ALLOWANCE_PATIENCE_MS ||
           rate->spent >= whole(rate) + (uint64_t)rate->per_second * ALLOWANCE_PATIENCE_MS;
}

enum allowance_verdict allowance_pay(struct allowance *allowance, enum allowance_of what,
                                     uint64_t count, uint64_t now_ms)
{
    struct rate *rate = &allowance->rates[what];
    const uint64_t cost = count * 1000;
    bool there;

    if (rate->per_second == 0)
        return ALLOWANCE_THERE;
    there = is_there(rate, cost, now_ms);
    if (!there && is_beyond(rate, now_ms))
        return ALLOWANCE_EXCEEDED;
    rate->spent += cost;
    return there ? ALLOWANCE_THERE : ALLOWANCE_OWED;
}

enum allowance_verdict allowance_take(struct allowance *allowance, enum allowance_of what,
                                      uint64_t count, uint64_t now_ms)
{
    struct rate *rate = &allowance->rates[what];

    if (rate->per_second == 0)
        return ALLOWANCE_THERE;
    if (!is_there(rate, count * 1000, now_ms))
        return ALLOWANCE_EXCEEDED;
    rate->spent += count * 1000;
    return ALLOWANCE_THERE;
}

enum allowance_verdict allowance_owe(struct allowance *allowance, enum allowance_of what,
                                     uint64_t count, uint64_t now_ms)
{
    struct rate *rate = &allowance->rates[what];
    bool there;

    if (rate->per_second == 0)
        return ALLOWANCE_THERE;
    there = is_there(rate, count * 1000, now_ms);
    rate->spent += count * 1000;
    return there ? ALLOWANCE_THERE : ALLOWANCE_OWED;
}

uint64_t allowance_wait_ms(const struct allowance *allowance, enum allowance_of what)
{
    const struct rate *rate = &allowance->rates[what];

    return rate->spent <= whole(rate) ? 0 : (rate->spent - whole(rate)) / rate->per_second + 1;
}

/* ---- Who owes nothing is forgotten ---- */

static bool is_rested(struct allowance *allowance, uint64_t now_ms)
{
    bool rested = allowance->users == 0;

    for (enum allowance_of what = 0; rested && what < ALLOWANCE_KINDS; what++) {
        reckon(&allowance->rates[what], now_ms);
        rested = allowance->rates[what].spent == 0;
    }
    return rested;
}

void allowances_settle(struct allowances *allowances, uint64_t now_ms)
{
    struct allowance **at = &allowances->all;

    while (*at != NULL) {
        if (is_rested(*at, now_ms))
            forget(allowances, at);
        else
            at = &(*at)->next;
    }
}

void allowances_vacate(struct allowances *allowances, uint32_t surface)
{
    struct allowance **at = &allowances->all;

    while (*at != NULL) {
        if ((*at)->holder.surface == surface && (*at)->users == 0)
            forget(allowances, at);
        else
            at = &(*at)->next;
    }
}
