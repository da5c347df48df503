/*
 * The steps of admission: what is asked of a request, and in which order. One
 * table, for all who need to know it: the broker decides by it, `sidelock
 * explain` tells it step by step (policy/explain.h), and proxy/README.md quotes it.
 *
 * Pure. What the store, the keys, tickets or the file system must say is asked
 * of the caller, through `struct steps_asks`.
 */
#pragma once

#include "policy/admission.h"
#include "policy/own_path.h"
#include "policy/stray.h"

#define STEPS_OFFER_BYTES_MAX 1024
#define STEPS_QUERY_BYTES_MAX (192 * 1024)

enum step_id {
    STEP_PATH,
    STEP_STRAY,
    STEP_KILL_SWITCH,
    STEP_HOST,
    STEP_ORIGIN,
    STEP_CALLER,
    STEP_OWN_PATH,
    STEP_OWN_ORIGIN,
    STEP_CREDENTIAL,
    STEP_COOKIE_ORIGIN,
    STEP_SESSION,
    STEP_ROUTE,
    STEP_METHOD,
    STEP_SUBPROTOCOL,
    STEP_QUERY,
    STEP_BODY,
    STEP_EXECUTABLES,
    STEP_COUNT
};

struct steps;

/* Whoever cannot answer sets steps->unknown; a gate takes that for a denial. */
struct steps_asks {
    /* Whether what stands where no credential belongs is one; its session must end. The context is
     * the steps. */
    stray_judge *stray;
    /* Whether the session behind steps->credential is good; sets `record` and `params`. */
    enum reason (*session)(struct steps *steps);
    /* Whether what the session's record names may still run. */
    enum reason (*executables)(struct steps *steps);
};

/* One request on its way. */
struct steps {
    /* Set by the caller, borrowed. */
    const struct surface *surface;
    struct admission_listener listener;
    const struct request *request;
    /* The last: the surface was there, and another is in force. */
    enum {
        SWITCH_UNKNOWN = 0,
        SWITCH_OFF,
        SWITCH_ON,
        SWITCH_REHEARSED,
        SWITCH_CHANGED
    } kill_switch;
    const struct steps_asks *asks;
    bool notes_program; /* whoever is let in is not, before his program was looked for */
    void *context;      /* for the functions above */

    /* Found on the way. */
    bool own;               /* the path is the gate's */
    enum own_action action; /* what is wanted of it */
    struct credential credential;
    enum { RECORD_UNKNOWN = 0, RECORD_NONE, RECORD_THERE } record; /* of the session */
    const struct params *params; /* its value; NULL: none, or not to be seen */
    const struct route *route;
    struct buffer offer; /* subprotocols for the service */
    struct buffer query; /* for the service; may hold secrets */
    bool unknown;        /* the last step could not be told */
    enum reason reason;  /* what it said */
};

/* `steps` as the caller set it, with empty buffers. */
void steps_init(struct steps *steps);
/* Wipes what was found; leaves what is borrowed alone. */
void steps_clear(struct steps *steps);

/* Whether a step says anything of this request, after the steps before it. */
bool steps_apply(const struct steps *steps, enum step_id id);
/* One step by itself. */
enum reason steps_check(struct steps *steps, enum step_id id);
/* All in order, to the first that refuses: its reason, and in *id (NULL: no matter) which it is. */
enum reason steps_decide(struct steps *steps, enum step_id *id);

/* "host", and what the step demands, in a few words. */
const char *steps_name(enum step_id id);
const char *steps_demand(enum step_id id);
