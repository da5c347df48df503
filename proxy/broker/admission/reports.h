/* What workers tell: into the audit log, the counters and the list of connections. */
#ifndef SIDELOCK_BROKER_ADMISSION_REPORTS_H
#define SIDELOCK_BROKER_ADMISSION_REPORTS_H

#include "broker/admission/admission.h"

/* DENIED, REFUSED, CLOSED and COUNTS. ERROR_SYNTAX: the worker broke the protocol. */
enum error reports_take_denied(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length) MUST_CHECK;
enum error reports_take_refused(struct admission *admission, unsigned worker, const void *bytes,
                                size_t length) MUST_CHECK;
enum error reports_take_closed(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length) MUST_CHECK;
enum error reports_take_counts(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length) MUST_CHECK;

#endif
