/*
 * The control API: one decoded request in, one answer out. What can be asked is the table in
 * routes.c, of which sidelock-control(7) is made.
 *
 * Nothing here holds up the loop: what waits for the disk, for a file's digest or for a count of
 * all sessions is answered later, and a list comes in pages that are built in bounded time.
 *
 * Errors are application/problem+json (RFC 9457): {"status", "reason"?, "detail"}.
 */
#pragma once

#include "broker/control/exchange.h"

/*
 * Calls `done` once the answer is complete, perhaps before it returns. Until then all three stay
 * where they are.
 */
void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *answer, void (*done)(void *context),
                           void *context);
/* Makes the answer a problem document. */
void control_routes_problem(struct control_answer *answer, unsigned status, const char *detail);
/* Whether a request with this method may bring a body. */
bool control_routes_takes_body(const char *method);

/* What can be asked, for the manual. */
struct control_row {
    const char *method, *path; /* in which {} is the name of what is meant */
    const char *query[2];      /* the parameters that are understood; NULL: there is none */
    const char *about;
};

/* Row `index` of the table; false behind the last. */
bool control_routes_row(size_t index, struct control_row *out);
