#include "policy/yield.h"

#include <stdlib.h>
#include <string.h>

struct yield_holder {
    struct hash_entry entry;
    struct quota_holder who;
    unsigned count;                       /* that it holds */
    struct yield_item *oldest, *newest;   /* of them, those that may give way */
    struct yield_holder *next, *previous; /* of its rank, if one may */
};

static uint64_t hash_of(const struct quota_holder *who)
{
    return hash_bytes(who->surface, who->who, who->length);
}

static struct yield_holder *find(const struct yields *yields, const struct quota_holder *who)
{
    struct hash_entry *entry = hash_first(&yields->holders, hash_of(who));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct yield_holder *holder = HASH_OWNER(entry, struct yield_holder, entry);

        if (holder->who.surface == who->surface && holder->who.length == who->length &&
            memcmp(holder->who.who, who->who, who->length) == 0)
            return holder;
    }
    return NULL;
}

static struct yield_holder *begin(struct yields *yields, const struct quota_holder *who)
{
    struct yield_holder *holder = calloc(1, sizeof(*holder));

    if (holder == NULL)
        return NULL;
    holder->who = *who;
    hash_add(&yields->holders, &holder->entry, hash_of(who));
    return holder;
}

void yields_clear(struct yields *yields)
{
    struct hash_entry *entry;
    size_t bucket = 0;

    while ((entry = hash_any(&yields->holders, &bucket)) != NULL) {
        hash_remove(&yields->holders, entry);
        free(HASH_OWNER(entry, struct yield_holder, entry));
    }
    hash_clear(&yields->holders);
    memset(yields->ranks, 0, sizeof(yields->ranks));
}

/* ---- Ranks ---- */

static struct yield_holder **rank_of(struct yields *yields, const struct yield_holder *holder)
{
    return &yields->ranks[holder->count < YIELD_RANKS ? holder->count : YIELD_RANKS - 1];
}

/* Before its count or its list changes. */
static void step_out(struct yields *yields, struct yield_holder *holder)
{
    if (holder->oldest == NULL)
        return;
    if (holder->previous != NULL)
        holder->previous->next = holder->next;
    else
        *rank_of(yields, holder) = holder->next;
    if (holder->next != NULL)
        holder->next->previous = holder->previous;
}

static void step_in(struct yields *yields, struct yield_holder *holder)
{
    struct yield_holder **rank = rank_of(yields, holder);

    if (holder->oldest == NULL)
        return;
    holder->previous = NULL;
    holder->next = *rank;
    if (holder->next != NULL)
        holder->next->previous = holder;
    *rank = holder;
}

/* ---- What is held ---- */

static void append(struct yield_item *item)
{
    struct yield_holder *holder = item->holder;

    item->newer = NULL;
    item->older = holder->newest;
    if (holder->newest != NULL)
        holder->newest->newer = item;
    else
        holder->oldest = item;
    holder->newest = item;
}

static void take_off(struct yield_item *item)
{
    struct yield_holder *holder = item->holder;

    if (item->older != NULL)
        item->older->newer = item->newer;
    else
        holder->oldest = item->newer;
    if (item->newer != NULL)
        item->newer->older = item->older;
    else
        holder->newest = item->older;
}

bool yield_add(struct yields *yields, struct yield_item *item, const struct quota_holder *who)
{
    struct yield_holder *holder = find(yields, who);

    if (holder == NULL)
        holder = begin(yields, who);
    if (holder == NULL)
        return false;
    *item = (struct yield_item){.holder = holder};
    step_out(yields, holder);
    holder->count++;
    append(item);
    step_in(yields, holder);
    return true;
}

void yield_remove(struct yields *yields, struct yield_item *item)
{
    struct yield_holder *holder = item->holder;

    if (holder == NULL)
        return;
    step_out(yields, holder);
    holder->count--;
    if (!item->busy)
        take_off(item);
    item->holder = NULL;
    step_in(yields, holder);
    if (holder->count > 0)
        return;
    hash_remove(&yields->holders, &holder->entry);
    free(holder);
}

void yield_keep(struct yields *yields, struct yield_item *item, bool busy)
{
    if (item->holder == NULL || item->busy == busy)
        return;
    step_out(yields, item->holder);
    item->busy = busy;
    if (busy)
        take_off(item);
    else
        append(item);
    step_in(yields, item->holder);
}

struct yield_item *yield_oldest_of(const struct yields *yields, const struct quota_holder *who)
{
    const struct yield_holder *holder = find(yields, who);

    return holder != NULL ? holder->oldest : NULL;
}

struct yield_item *yield_of_richest(const struct yields *yields, unsigned least)
{
    for (unsigned rank = YIELD_RANKS; rank > least; rank--) {
        if (yields->ranks[rank - 1] != NULL)
            return yields->ranks[rank - 1]->oldest;
    }
    return NULL;
}
