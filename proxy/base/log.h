/*
 * The operator's log: one plain line an event on stderr, `level: text`.
 * Denials do not go here but to the audit log (system/audit.h).
 */
#pragma once

#include "base/error.h"

/* A short name put before each line ("broker", "worker"); static storage. */
void log_set_name(const char *name);

void log_line(const char *level, const char *format, ...) PRINTF_LIKE(2, 3);
#define log_error(...)   log_line("error", __VA_ARGS__)
#define log_warning(...) log_line("warning", __VA_ARGS__)
#define log_info(...)    log_line("info", __VA_ARGS__)
