/*
 * Who takes what a worker says: a function for each message, in the file named
 * above it; inbox.c says in which state of the worker. ERROR_SYNTAX: the worker
 * broke the protocol.
 */
#pragma once

#include "broker/admission/question.h"

/* `message` is the structure of its type. */
typedef enum error taker(struct gate *gate, struct incarnation from, struct surface_state *surface,
                         const void *message);

/* admit.c, ADMIT: the policy's steps over the store, a verdict. */
taker admit_take MUST_CHECK;
/*
 * dial.c, DIAL: a worker that relays under a grant asks for a connection to the
 * service. Where the route adds what the worker may not know, the broker writes
 * the head, and a stored body, before it hands the connection over.
 */
taker dial_take MUST_CHECK;
/* reports.c: into the audit log, the counters and the list of connections. */
taker reports_take_denied MUST_CHECK;
taker reports_take_refused MUST_CHECK;
taker reports_take_suppressed MUST_CHECK;
taker reports_take_closed MUST_CHECK;
taker reports_take_counts MUST_CHECK;

/* inbox.c: hands a message to the one who takes it now. */
workers_listener inbox_take MUST_CHECK;
