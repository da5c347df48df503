/* What workers tell: into the audit log, the counters and the list of connections. */
#ifndef SIDELOCK_BROKER_REPORTS_H
#define SIDELOCK_BROKER_REPORTS_H

#include "broker/broker.h"
#include "ipc/messages.h"

/*
 * Counts a denial, and says whether it may have a line of its own in the audit
 * log; after a flood, the line that says how many had none comes first.
 */
bool reports_count_denial(struct broker *broker, struct broker_surface *surface,
                          enum reason reason);
/* Writes how many denials had no line of their own, if any. */
void reports_suppressed(struct broker *broker);

/* DENIED, REFUSED, CLOSED or COUNTS; ERROR_SYNTAX for anything else. */
enum error reports_message(struct broker *broker, unsigned worker, enum ipc_type type,
                           const void *bytes, size_t length) MUST_CHECK;

#endif
