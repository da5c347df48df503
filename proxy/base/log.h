/*
 * The operator's log: one plain line an event on stderr, `level: text`.
 * Denials do not go here but to the audit log (system/audit.h).
 */
#ifndef SIDELOCK_BASE_LOG_H
#define SIDELOCK_BASE_LOG_H

#include "base/error.h"

/* A short name put before each line ("broker", "worker"); static storage. */
void log_set_name(const char *name);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
