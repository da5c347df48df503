/*
 * One request of an operator: who asks, the line it leaves in the audit log, and
 * if it fails, why.
 *
 * Every operation leaves one line, and fails if that line cannot be written.
 * What grants something (a record, a session, arming) is written to the log
 * before it is done; what takes something away (revoking, removing, killing) is
 * done first, so that a full disk never keeps a door open. Values of parameter
 * records, tokens and tickets never reach the log. Nothing in this room knows
 * about HTTP.
 */
#pragma once

#include "broker/core/workers.h"

#define OPERATION_WHY_BYTES 512

struct operation {
    struct gate *gate;
    uint32_t uid;                  /* the operator's, for the log */
    enum reason reason;            /* of a failure; REASON_INTERNAL: none of the published ones */
    char why[OPERATION_WHY_BYTES]; /* of a failure: one sentence */
};

void operation_init(struct operation *operation, struct gate *gate, uint32_t uid);

/* Notes why, and returns `error`. The sentence must carry no secret. */
enum error operation_fail(struct operation *operation, enum error error, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same for an error of the store, saying what was to be done ("keep the session"). */
enum error operation_fail_store(struct operation *operation, enum error error, const char *what);

/* Begins a line: the event and the operator's uid. Go on with audit_text() and the like. */
struct audit *operation_line(struct operation *operation, const char *event);
/* Ends the line. ERROR_IO, with reason and sentence set, if it cannot be written. */
enum error operation_commit(struct operation *operation) MUST_CHECK;
/*
 * After the line that announced it, the store was to do it ("keep the session"):
 * passes its error on, with a sentence, and a line that says that it did not happen.
 */
enum error operation_kept(struct operation *operation, enum error error, const char *event,
                          const char *what) MUST_CHECK;
/* The same where something else than the store failed, the sentence being noted already. */
void operation_undo(struct operation *operation, const char *event);

/* A surface by its name; notes that there is none. */
struct surface_state *operation_surface(struct operation *operation, const char *name);
