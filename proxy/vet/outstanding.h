/*
 * The requests of one direction that wait for their answer. Empty, it owns no
 * memory or nearly none: thousands of idle connections each have two.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"
#include "policy/quota.h"

#define VET_OUTSTANDING_MAX           1024 /* requests without an answer, each direction */
#define OUTSTANDING_SESSION_BYTES_MAX 256  /* a longer one is not kept */

struct outstanding_slot;

struct outstanding_request {
    struct span id;      /* as a key */
    struct span verb;    /* absent: unknown */
    struct span session; /* as written; absent: none */
    bool adrift;         /* outstanding_let_go() */
    bool answered;       /* outstanding_note_answer() */
};

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
 * Remembers a request by its id (struct message's id_key), with its verb and its session (of
 * struct message).
 * REASON_ALLOWED, REASON_REQUEST_ID_REUSED, REASON_OUTSTANDING_LIMIT
 * (its own limit, or the account's), or REASON_INTERNAL without memory.
 */
enum reason outstanding_add(struct outstanding *outstanding, const struct outstanding_request *of);
/* The place of the request with this id, or -1; good until something is added or removed. */
int outstanding_find(const struct outstanding *outstanding, struct span id);
/* The request at a place; its spans end with its removal. */
struct outstanding_request outstanding_at(const struct outstanding *outstanding, int place);
/* It was asked once more with this id: there will be as many answers. */
void outstanding_repeat(struct outstanding *outstanding, int place);
/* One of its answers is there; true if there will be more, false if this is the only one. */
bool outstanding_take_one(struct outstanding *outstanding, int place);
/* Its answer comes elsewhere than the request was sent, if it comes. */
void outstanding_let_go(struct outstanding *outstanding, int place);
/* Its answer has come, and may not pass: it waits for no more but to be told so. Place -1: none. */
void outstanding_note_answer(struct outstanding *outstanding, int place);
void outstanding_remove(struct outstanding *outstanding, int place);
