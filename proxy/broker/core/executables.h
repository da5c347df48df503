/*
 * What parameter records may run, asked without holding up the loop: whose a file is and who may
 * change it is looked at each time; its digest, where the configuration pins one, is computed on
 * a thread and remembered for as long as the file is the same (device, inode, size, times).
 * Whoever asks meanwhile waits for the same computation.
 */
#pragma once

#include "base/lane.h"
#include "policy/exec_policy.h"

#define EXECUTABLES_KNOWN_MAX 64 /* digests, remembered or being computed */
#define EXECUTABLES_LOOKS_MAX                                                                      \
    70 /* of one question: more means that its files do not stay the same */

#define EXECUTABLES_TOLD_PER_TURN 16 /* of those who wait for one digest */

struct executables;

/* Somebody who waits for a digest. */
struct executables_wait {
    void (*known)(struct executables_wait *wait); /* once: ask again, in this very call */
    void *context;                                /* the asker's */
    struct executables_wait *next, **at;          /* ours; what points to it, NULL: nothing */
};

enum error executables_create(struct executables **out) MUST_CHECK;
/* Nothing more is computed but the file at hand; those who wait are told. */
void executables_stop(struct executables *executables);
/* After that. */
void executables_destroy(struct executables *executables);
/* The thread, for whoever watches it. */
struct lane *executables_lane(const struct executables *executables);

/*
 * exec_policy_check() over what is known: OK, or ERROR_DENIED with a sentence. ERROR_STATE: a
 * digest is not known yet and is being computed; `wait` (NULL: nobody) is told.
 */
enum error executables_check(struct executables *executables, const struct config *config,
                             const struct params *params, struct executables_wait *wait, char *why,
                             size_t why_size) MUST_CHECK;
/* Waits no longer. */
void executables_forget(struct executables_wait *wait);
