#include "cli/examine.h"

#include "cli/gate.h"
#include "setup/places.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

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

enum error examine_places(const struct config_bundle *bundle, struct json_faults *faults)
{
    struct gate gate = {.control = bundle->config->control_socket, .quiet = true};
    json_t *status = NULL;
    struct places places = {.bundle = bundle, .bind = true, .has_address = listens_at};
    enum error error;

    if (gate_ask(&gate, "GET", NULL, &status, "/v1/status") != EX_OK)
        places.stopped = !gate_answers(&gate);
    places.context = status;
    error = places_check(&places, faults);
    json_decref(status);
    return error;
}
