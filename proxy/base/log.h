/*
 * The operator's log: one plain line an event on stderr, `level: text`.
 * Denials do not go here but to the audit log (system/audit.h).
 */
#ifndef SIDELOCK_BASE_LOG_H
#define SIDELOCK_BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* A short name put before each line ("broker", "worker"); static storage. */
void log_set_name(const char *name);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
