#include "broker/operations/switches.h"

/* The kill switch is on before anything else can fail: what fails is reported afterwards. */
static enum error kill_surface(struct operation *operation, struct broker_surface *surface)
{
    struct broker *broker = operation->broker;
    const char *name = surface->config->name;
    enum error error = store_surface_set_killed(broker->store, name, true, broker_now());
    enum error logged;

    surface->killed = true;
    workers_cut_surface(broker->workers, (size_t)(surface - broker->surfaces),
                        REASON_SURFACE_KILLED);
    audit_text(operation_line(operation, "surface_killed"), "surface", name);
    logged = operation_commit(operation);
    if (error == OK)
        return logged;
    return operation_fail(operation, error,
                          "%s is killed now, but the store could not keep it (%s): it would come "
                          "back armed after a restart",
                          name, error_text(error));
}

static enum error arm_surface(struct operation *operation, struct broker_surface *surface)
{
    struct broker *broker = operation->broker;
    const char *name = surface->config->name;
    enum error error;

    audit_text(operation_line(operation, "surface_armed"), "surface", name);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    error = store_surface_set_killed(broker->store, name, false, broker_now());
    if (error != OK) {
        operation_fail_store(operation, error, "keep that the surface is armed");
        operation_undo(operation, "surface_armed");
        return error;
    }
    surface->killed = false;
    return OK;
}

enum error operations_set_killed(struct operation *operation, const char *surface, bool killed)
{
    struct broker_surface *found = broker_surface(operation->broker, surface);

    if (found == NULL)
        return operation_fail(operation, ERROR_NOT_FOUND,
                              "there is no surface %.*s; `sidelock status` lists them",
                              CONFIG_NAME_BYTES_MAX, surface);
    return killed ? kill_surface(operation, found) : arm_surface(operation, found);
}
