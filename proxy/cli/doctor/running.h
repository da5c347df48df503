/* What the gate that runs says of itself, and what of that is wrong. */
#pragma once

#include "cli/doctor/findings.h"
#include "config/config.h"

#define DOCTOR_DEADLINE_S 3 /* for each thing that a gate is asked */

/* All borrowed. */
struct running {
    const char *control;         /* its control socket */
    const char *option;          /* ` -c FILE` for a command that is to mean the same, or "" */
    const struct config *config; /* what it is to serve; NULL: not known */
    const char *lockdown;        /* what has nothing served, as it is found; NULL: not there */
    const struct json_t *status; /* what /v1/status answered; NULL: nothing came */
    int code;                    /* why not, as of gate_call() */
    bool answers;                /* somebody listens there all the same */
};

void running_look(const struct running *running, struct findings *findings);
