/* Whether a gate could be run on this host with a configuration, a running one's places left out.
 */
#pragma once

#include "setup/bundle.h"

struct json_t; /* jansson's */

/* What the gate that runs, if one does, says of itself. */
struct examined_gate {
    struct json_t *status; /* what /v1/status answers; NULL: nothing came */
    int code;              /* why not, as of gate_call() */
    bool answers;          /* a process listens there, even if it lets nobody in */
};

/* Asks at its control socket, for at most so many seconds (0: GATE_DEADLINE_S) each time. */
void examine_gate(const char *control_socket, unsigned deadline_s, struct examined_gate *out);
void examined_gate_clear(struct examined_gate *gate);

/*
 * Looks at what it names as `serve` and `reload` do; what the gate that runs with it holds counts
 * as free. As places_check(): ERROR_INVALID with every fault in *faults, or ERROR_MEMORY.
 */
enum error examine_places(const struct config_bundle *bundle,
                          struct json_faults *faults) MUST_CHECK;
/*
 * Whether services could be launched here, by whoever runs this, where the configuration has some:
 * what a tree is made of is tried. ERROR_INVALID with a fault for each.
 */
enum error examine_launching(const struct config_bundle *bundle,
                             struct json_faults *faults) MUST_CHECK;
/* The same as examine_places() for who has asked already. */
enum error examine_places_beside(const struct config_bundle *bundle,
                                 const struct examined_gate *gate,
                                 struct json_faults *faults) MUST_CHECK;
