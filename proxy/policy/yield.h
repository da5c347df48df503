/*
 * Who gives way where things are full (QUOTA_OWN_OLDEST, policy/quota.h): a holder's own oldest, or
 * the oldest of whoever has the most. As soon found among many as among few.
 */
#pragma once

#include "base/hash.h"
#include "policy/quota.h"

#define YIELD_RANKS 129 /* holders with more are as many's who have one less than that */

struct yield_holder;

/* Embedded in a thing that is held. All zero: it is nobody's. */
struct yield_item {
    struct yield_holder *holder;
    struct yield_item *newer, *older; /* of those that may give way */
    bool busy;                        /* it is in use: it does not */
};

/* All zero is empty, and so it is again when nothing is held but for what yields_clear() frees. */
struct yields {
    struct hash_table holders;
    struct yield_holder *ranks[YIELD_RANKS]; /* who has so many, and one that may give way */
};

void yields_clear(struct yields *yields);
/* The holder's newest. False without memory. */
bool yield_add(struct yields *yields, struct yield_item *item,
               const struct quota_holder *who) MUST_CHECK;
/* Nothing for one that is nobody's. */
void yield_remove(struct yields *yields, struct yield_item *item);
/* It does not give way from now on; or it does again, as its holder's newest. */
void yield_keep(struct yields *yields, struct yield_item *item, bool busy);
/* Of those that this one holds, the oldest that may give way; NULL: none may. */
struct yield_item *yield_oldest_of(const struct yields *yields, const struct quota_holder *who);
/* The same of whoever has the most, and at least so many; NULL: nobody. */
struct yield_item *yield_of_richest(const struct yields *yields, unsigned least);
