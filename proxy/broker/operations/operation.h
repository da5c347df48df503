/*
 * One request of an operator on its way through operations.h: who asks, the
 * line it leaves in the audit log, and if it fails, why.
 */
#ifndef SIDELOCK_BROKER_OPERATION_H
#define SIDELOCK_BROKER_OPERATION_H

#include "broker/broker.h"

#define OPERATION_WHY_BYTES 512

struct operation {
    struct broker *broker;
    uint32_t uid;                  /* the operator's, for the log */
    enum reason reason;            /* of a failure; REASON_INTERNAL: none of the published ones */
    char why[OPERATION_WHY_BYTES]; /* of a failure: one sentence */
};

void operation_init(struct operation *operation, struct broker *broker, uint32_t uid);

/* Notes why, and returns `error`. The sentence must carry no secret. */
enum error operation_fail(struct operation *operation, enum error error, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same for an error of the store, saying what was to be done ("keep the session"). */
enum error operation_fail_store(struct operation *operation, enum error error, const char *what);

/* Begins a line: the event and the operator's uid. Go on with audit_text() and the like. */
struct audit *operation_line(struct operation *operation, const char *event);
/* Ends the line. ERROR_IO, with reason and sentence set, if it cannot be written. */
enum error operation_commit(struct operation *operation) MUST_CHECK;
/* Says in the log that what the line before announced did not happen; best effort. */
void operation_undo(struct operation *operation, const char *event);

#endif
