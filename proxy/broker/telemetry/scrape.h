/* The worker that serves the telemetry page asks what is to be read there. */
#pragma once

#include "broker/core/gate.h"
#include "ipc/messages.h"

#define SCRAPE_BYTES_MAX (4 * 1024 * 1024)

/*
 * SCRAPE: answered with SCRAPED, now or later; without a text if it had one just now. ERROR_SYNTAX:
 * it is not the one that serves it, or it has asked already.
 */
enum error scrape_take(struct gate *gate, struct incarnation from) MUST_CHECK;
/* VITALS: what a worker says of itself. */
void scrape_take_vitals(struct gate *gate, struct incarnation from,
                        const struct ipc_vitals *vitals);
