/* The kill switch. Called by control/routes.c. */
#include "broker/core/journal.h"
#include "broker/operations/operation.h"

#include <stdio.h>

static void on_killed(void *context, enum error error)
{
    struct operation *operation = context;
    const char *name = operation->way.arm.name;
    enum error logged;

    audit_text(operation_line(operation, "surface_killed"), "surface", name);
    logged = operation_commit(operation);
    if (error != OK)
        operation_fail(operation, error,
                       "%s is killed now, but the store could not keep it (%s): it would come "
                       "back armed after a restart",
                       name, error_text(error));
    operation_end(operation, error == OK ? logged : error);
}

/*
 * Armed once that is on the disk, unless it was killed again meanwhile. By its name: a reload may
 * have put another in its place, or none.
 */
static void on_armed(void *context, enum error error)
{
    struct operation *operation = context;
    struct surface_state *surface =
        surfaces_find(&operation->gate->surfaces, operation->way.arm.name);

    error = operation_kept(operation, error, "surface_armed", "keep that the surface is armed");
    if (error == OK && surface != NULL && surface->kills == operation->way.arm.turn)
        surface->killed = false;
    operation_end(operation, error);
}

static void arm_surface(struct operation *operation, const char *name)
{
    enum error error;

    audit_text(operation_line(operation, "surface_armed"), "surface", name);
    error = operation_commit(operation);
    if (error == OK)
        store_surface_set_killed(operation->gate->store, name, false, clock_now(),
                                 (struct store_reply){on_armed, operation});
    else
        operation_end(operation, error);
}

/* The kill switch is on before anything else can fail: what fails is reported afterwards. */
static void kill_surface(struct operation *operation, struct surface_state *surface)
{
    surface->killed = true;
    surface->kills++;
    workers_cut_surface(operation->gate->workers, surface, REASON_SURFACE_KILLED);
    store_surface_set_killed(operation->gate->store, surface->config->name, true, clock_now(),
                             (struct store_reply){on_killed, operation});
}

void switches_set_killed(struct operation *operation, const char *surface, bool killed)
{
    struct surface_state *found = operation_surface(operation, surface);

    if (found == NULL) {
        operation_end(operation, ERROR_NOT_FOUND);
        return;
    }
    snprintf(operation->way.arm.name, sizeof(operation->way.arm.name), "%s", found->config->name);
    operation->way.arm.turn = found->kills;
    if (killed)
        kill_surface(operation, found);
    else
        arm_surface(operation, found->config->name);
}
