/* What workers tell: into the audit log, the counters and the list of connections. */
#ifndef SIDELOCK_BROKER_REPORTS_H
#define SIDELOCK_BROKER_REPORTS_H

#include "broker/broker.h"
#include "ipc/messages.h"

/* DENIED, REFUSED, CLOSED or COUNTS; ERROR_SYNTAX for anything else. */
enum error reports_message(struct broker *broker, unsigned worker, enum ipc_type type,
                           const void *bytes, size_t length) MUST_CHECK;

#endif
