/*
 * What the configuration names on this host, and whether a gate can be run with it: the same for
 * `check`, for `serve` and for a reload.
 */
#pragma once

#include "setup/bundle.h"

struct places {
    const struct config_bundle *bundle;
    bool stopped; /* no gate runs with it: what only one may have is free */
    bool outside; /* this process is none of the gate's: its control group is not known */
    /* Which of its addresses the gate that runs has already; NULL: none does. */
    bool (*has_address)(const void *context, const char *address);
    const void *context;
    bool bind; /* each other address is bound, and let go of at once; a service's that listens by
                  itself is connected to (setup/exposure.h) */
};

/*
 * Adds a fault for each place that cannot be served with: directories and sockets that others could
 * bend or that cannot be made, files of the state directory, "tls" files, addresses. ERROR_INVALID
 * if there was any.
 */
enum error places_check(const struct places *places, struct json_faults *faults) MUST_CHECK;

/* Adds a fault, this sentence, for each surface whose service would be launched. ERROR_INVALID if
 * there is one. */
enum error places_deny_launching(const struct config_bundle *bundle, const char *sentence,
                                 struct json_faults *faults) MUST_CHECK;

#define PLACES_CLOCK_BACK_S 300 /* what a clock may be set back without a word */

/*
 * Whether the clock is far behind what was written last, in the state directory, or the program:
 * then what has expired lives again. `why` receives a sentence.
 */
bool places_clock_is_back(const struct config *config, char why[WHY_SIZE]);
