/*
 * What is remembered between messages: the requests that wait for an answer, both ways. One
 * connection has one; in MCP over HTTP all exchanges of an MCP session share one, and one outside
 * of any has its own, with what the service asks kept for all those of the gate's session.
 *
 * A request is settled by its answer. Whatever else ends it passes through vet_state_fail(), which
 * says so in the dialect's words to whoever waits, and to the service where its work is in vain;
 * its sender's own change of mind through vet_state_cancel().
 *
 * The struct is for vet/ alone.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "dialect/dialect.h"
#include "vet/outstanding.h"

#define VET_ANSWERED_MAX  64  /* requests whose answer may come again (`resumable`) */
#define VET_CANCELLED_MAX 64  /* cancelled ones whose answer may be under way, each direction */
#define VET_ASKED_MAX     256 /* of the service's, of exchanges that share them */

/* The last ones of some; `oldest` is the place that is given up next. */
struct recent {
    struct outstanding list;
    uint16_t oldest;
};

/* Requests that do not wait, or not for one answer here. */
struct memories {
    struct recent cancelled[DIRECTION_COUNT];
    struct recent answered; /* the client's last ones that were settled (`resumable`) */
    struct recent asked;    /* the service's, of those that share the state */
};

struct vet_state {
    struct outstanding outstanding[DIRECTION_COUNT]; /* by the direction of the requests */
    struct memories *memories;                       /* owned; NULL until there is one */
    struct vet_state *shared;                        /* has them; borrowed; NULL: nobody else */
    struct quota_account account;                    /* what `outstanding` takes from */
};

/* Its requests count as the holder's (QUOTA_OUTSTANDING) in `quotas`, borrowed; NULL: nobody's. */
enum error vet_state_create(struct quotas *quotas, struct quota_holder holder,
                            struct vet_state **out) MUST_CHECK;
/* What was outstanding is no more. */
void vet_state_destroy(struct vet_state *state);
/* What the service asks is from now on kept in the other, borrowed. */
void vet_state_share(struct vet_state *state, struct vet_state *other);

/* Where a request is. */
struct vet_place {
    struct outstanding *list;
    int at; /* -1: nowhere */
};

/* The request with that id: one that waits, or was cancelled; `direction` is the request's. */
struct vet_place vet_state_find(struct vet_state *state, enum direction direction,
                                struct span id_key);
/* The same of a client's that has had its answer. */
struct vet_place vet_state_find_answered(struct vet_state *state, struct span id_key);
/* Whether a client's request waits. */
bool vet_state_waits(const struct vet_state *state, const char *id_key);
/* A request that passes waits; the reasons of outstanding_add(). */
enum reason vet_state_add(struct vet_state *state, enum direction direction,
                          const struct outstanding_request *of);
/* It has its answer; `again`: which may come once more. */
void vet_state_settle(struct vet_state *state, struct vet_place place, bool again);
/* Its sender does not wait any more: an answer that comes all the same still passes. */
void vet_state_cancel(struct vet_state *state, enum direction direction, struct span id_key);
/* It will not be answered. `id_key` is from its vet_result. Nothing if there is none. */
void vet_state_forget(struct vet_state *state, enum direction direction, const char *id_key);
/* The client's request is answered, if at all, elsewhere than it was sent. */
void vet_state_let_go(struct vet_state *state, const char *id_key);

/* How a client's request ends without its answer. */
struct vet_ending {
    const struct vocabulary *vocabulary;
    enum reason reason;
    const char *id_key; /* NULL: one after another, those that were let go */
    bool all;           /* with NULL: every one */
    bool awaited; /* with `all`: the answer may still come, and is waited for as of one let go */
};

/*
 * Takes a request out of those that wait, and appends the error that its client is told and the
 * cancellation that the service is told, if the vocabulary has such a thing; NULL: that one is
 * told nothing; nor is a service that has answered it. False if none waits (any more).
 */
bool vet_state_fail(struct vet_state *state, const struct vet_ending *ending, struct buffer *client,
                    struct buffer *service);
