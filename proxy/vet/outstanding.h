/*
 * The requests of one direction that wait for their answer. Empty, it owns no
 * memory or nearly none: thousands of idle connections each have two.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"
#include "policy/quota.h"

#define VET_OUTSTANDING_MAX 1024 /* requests without an answer, each direction */

struct outstanding_slot;

/* All zero is a valid empty one. */
struct outstanding {
    struct outstanding_slot *slots; /* owned, as is what they point to */
    uint16_t count;
    uint16_t capacity;
    const struct quota_account *account; /* borrowed; each request is taken from it; NULL: none */
};

/* Empty again, with the account that it had. */
void outstanding_clear(struct outstanding *outstanding);

/*
 * Remembers a request by its id (struct message's id_key) and its verb.
 * REASON_ALLOWED, REASON_REQUEST_ID_REUSED, REASON_OUTSTANDING_LIMIT
 * (its own limit, or the account's), or REASON_INTERNAL without memory.
 */
enum reason outstanding_add(struct outstanding *outstanding, struct span id, struct span verb);
/* The place of the request with this id, or -1; good until something is added or removed. */
int outstanding_find(const struct outstanding *outstanding, struct span id);
/* The verb of the request at a place; the span ends with its removal. */
struct span outstanding_verb(const struct outstanding *outstanding, int place);
void outstanding_remove(struct outstanding *outstanding, int place);
