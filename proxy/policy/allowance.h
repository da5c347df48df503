/*
 * What a session or a caller may do in a second: the rows of policy/quota.h that are so much a
 * second as a surface's limits say. Each is an allowance of one second's worth, paid back by
 * time. Who needs more than is there at once owes the rest and waits for it; who goes on so,
 * or owes too much, is refused until some of it has been paid back. Integers and the caller's
 * clock alone: to pay is a multiplication and a comparison.
 */
#pragma once

#include "config/config.h"
#include "policy/quota.h"

/* For so long beyond its allowance a party is made to wait, and for so much of it; then it is
 * refused. */
#define ALLOWANCE_PATIENCE_MS 5000

enum allowance_of {
    ALLOWANCE_REQUESTS = 0,
    ALLOWANCE_MESSAGES,
    ALLOWANCE_BYTES,
    ALLOWANCE_CONNECTIONS,
    ALLOWANCE_KINDS
};

enum allowance_verdict {
    ALLOWANCE_EXCEEDED = 0, /* nothing was paid: it is to be refused */
    ALLOWANCE_OWED,         /* paid; what follows is to wait */
    ALLOWANCE_THERE,
};

/* Of one party; kept until all is paid back, whether it has connections or not. */
struct allowance;
struct allowances;

/* The quota's row, and what the limits say; 0: as much as comes. */
enum quota allowance_row(enum allowance_of what);
uint32_t allowance_per_second(const struct surface_limits *limits, enum allowance_of what);

enum error allowances_create(struct allowances **out) MUST_CHECK;
void allowances_destroy(struct allowances *allowances);

/* The holder's, as often as it is closed again; NULL without memory, or with too many others. */
struct allowance *allowance_open(struct allowances *allowances, struct quota_holder holder,
                                 const struct surface_limits *limits);
void allowance_close(struct allowance *allowance); /* NULL is nobody's */
/* Forgets who has closed and owes nothing. */
void allowances_settle(struct allowances *allowances, uint64_t now_ms);
/* Forgets all of a surface, which have closed. */
void allowances_vacate(struct allowances *allowances, uint32_t surface);

/* So many more. */
enum allowance_verdict allowance_pay(struct allowance *allowance, enum allowance_of what,
                                     uint64_t count, uint64_t now_ms) MUST_CHECK;
/* The same where nobody waits: EXCEEDED or THERE. */
enum allowance_verdict allowance_take(struct allowance *allowance, enum allowance_of what,
                                      uint64_t count, uint64_t now_ms) MUST_CHECK;
/* The same of what has happened and is not refused: OWED or THERE. */
enum allowance_verdict allowance_owe(struct allowance *allowance, enum allowance_of what,
                                     uint64_t count, uint64_t now_ms) MUST_CHECK;
/* How long until nothing is owed, once it is reckoned: after one of the three. */
uint64_t allowance_wait_ms(const struct allowance *allowance, enum allowance_of what);
