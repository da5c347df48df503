/*
 * The listeners of "telemetry": bound once, before there are fences, and kept for as long as there
 * is a gate, whatever becomes of its broker and its workers.
 */
#pragma once

#include "config/config.h"

struct telemetry {
    int listeners[2];
    size_t count; /* 0: the configuration has none */
};

/* The log says what is wrong. */
enum error telemetry_open(const struct config *config, struct telemetry *out) MUST_CHECK;
void telemetry_close(struct telemetry *telemetry);
