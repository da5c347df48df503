/*
 * The parent's fences: from then on it, and whatever it starts, dials nobody and changes files
 * where the gate does alone: so that another broker can begin. Brokers and workers have further
 * fences of their own.
 */
#pragma once

#include "config/config.h"
#include "system/proof.h"

/* Nobody looks into it, or at what is left of it: what it says is obeyed by the broker. */
void holding_harden(void);
/* Makes those directories first. What could be proven of the fences is in *proof. */
enum error holding_begin(const struct config *config, struct proof *proof) MUST_CHECK;
