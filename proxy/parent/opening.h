/*
 * What the parent opens for the broker, and nothing else: what the operator's own file names. The
 * file is read here, and what was read is kept, so that a broker that has been taken over can
 * name a surface of it, but no path and no address.
 */
#pragma once

#include "ipc/errand.h"
#include "parent/telemetry.h"
#include "setup/bundle.h"
#include "system/listener.h"

struct opening;

struct opening_answer {
    enum error error;
    char why[WHY_SIZE];
    int descriptors[2]; /* the caller's */
    size_t count;
};

/* Takes over the bundle that is in force, which is sealed. */
enum error opening_create(struct config_bundle *bundle, struct opening **out) MUST_CHECK;
void opening_destroy(struct opening *opening);
/* The listeners that the first LISTEN is answered with, taken over: they are there already. */
void opening_hold(struct opening *opening, struct listener held[2], size_t count);
/* What TELEMETRY is answered with, as often as a broker asks; borrowed. */
void opening_lend(struct opening *opening, const struct telemetry *telemetry);
/* The configuration in force, sealed, for a broker that begins; stays the parent's. */
int opening_sealed(const struct opening *opening);
/* Borrowed until KEEP puts another one in its place. */
const struct config_bundle *opening_in_force(const struct opening *opening);

/*
 * Does what is asked. ERROR_SYNTAX: nothing that a broker of ours asks; then there is no answer.
 */
enum error opening_take(struct opening *opening, const struct errand *errand,
                        struct opening_answer *out) MUST_CHECK;
