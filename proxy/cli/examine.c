#include "cli/examine.h"

#include "cli/gate.h"
#include "launch/keeper/forbidding.h"
#include "launch/keeper/trial.h"
#include "setup/places.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Whether its status, if there is one, names the address. */
static bool listens_at(const void *status, const char *address)
{
    const json_t *surfaces = json_object_get(status, "surfaces"), *surface, *listener;
    size_t i, j;

    json_array_foreach(surfaces, i, surface)
    {
        json_array_foreach(json_object_get(surface, "listen"), j, listener)
        {
            if (json_is_string(listener) && strcmp(json_string_value(listener), address) == 0)
                return true;
        }
    }
    return false;
}

void examine_gate(const char *control_socket, unsigned deadline_s, struct examined_gate *out)
{
    struct gate gate = {.control = control_socket, .quiet = true, .deadline_s = deadline_s};

    *out = (struct examined_gate){.code = EX_OK};
    out->code = gate_ask(&gate, "GET", NULL, &out->status, "/v1/status");
    out->answers = out->code == EX_OK || gate_answers(&gate);
}

void examined_gate_clear(struct examined_gate *gate)
{
    json_decref(gate->status);
    gate->status = NULL;
}

enum error examine_places_beside(const struct config_bundle *bundle,
                                 const struct examined_gate *gate, struct json_faults *faults)
{
    const struct places places = {.bundle = bundle,
                                  .bind = true,
                                  .outside = true,
                                  .has_address = listens_at,
                                  .stopped = !gate->answers,
                                  .context = gate->status};

    return places_check(&places, faults);
}

enum error examine_places(const struct config_bundle *bundle, struct json_faults *faults)
{
    struct examined_gate gate;
    enum error error;

    examine_gate(bundle->config->control_socket, 0, &gate);
    error = examine_places_beside(bundle, &gate, faults);
    examined_gate_clear(&gate);
    return error;
}

static bool launches(const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (surface_is_launched(&config->surfaces[i]))
            return true;
    }
    return false;
}

enum error examine_launching(const struct config_bundle *bundle, struct json_faults *faults)
{
    struct trial trial = {.passed = true};
    struct forbidding forbidding;
    char why[WHY_SIZE], sentence[3 * WHY_SIZE];
    const char *remedy;

    if (!launches(bundle->config))
        return OK;
    /* Where a trial does not end nothing was found out. */
    if (trial_namespaces(&trial) != OK || (trial.passed && trial_filter(&trial) != OK) ||
        trial.passed)
        return OK;
    forbidding_read(&forbidding);
    remedy = forbidding_blame(&forbidding, &trial, geteuid() == 0, why);
    snprintf(sentence, sizeof(sentence),
             "No service can be started here: %s%s%s. That was tried as uid %u; for another "
             "machine or user: --elsewhere.",
             why, remedy[0] != '\0' ? "; " : "", remedy, (unsigned)geteuid());
    return places_deny_launching(bundle, sentence, faults);
}
