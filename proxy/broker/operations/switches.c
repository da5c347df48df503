/* The kill switch and reloading. Called by control/routes.c and, for SIGHUP, by broker.c. */
#include "broker/operations/operation.h"

#include "base/log.h"
#include "broker/core/journal.h"

/* The kill switch is on before anything else can fail: what fails is reported afterwards. */
static enum error kill_surface(struct operation *operation, struct surface_state *surface)
{
    struct gate *gate = operation->gate;
    const char *name = surface->config->name;
    enum error error = store_surface_set_killed(gate->store, name, true, clock_now());
    enum error logged;

    surface->killed = true;
    workers_cut_surface(gate->workers, surface, REASON_SURFACE_KILLED);
    audit_text(operation_line(operation, "surface_killed"), "surface", name);
    logged = operation_commit(operation);
    if (error == OK)
        return logged;
    return operation_fail(operation, error,
                          "%s is killed now, but the store could not keep it (%s): it would come "
                          "back armed after a restart",
                          name, error_text(error));
}

static enum error arm_surface(struct operation *operation, struct surface_state *surface)
{
    struct gate *gate = operation->gate;
    const char *name = surface->config->name;
    enum error error;

    audit_text(operation_line(operation, "surface_armed"), "surface", name);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    error =
        operation_kept(operation, store_surface_set_killed(gate->store, name, false, clock_now()),
                       "surface_armed", "keep that the surface is armed");
    if (error == OK)
        surface->killed = false;
    return error;
}

enum error switches_set_killed(struct operation *operation, const char *surface, bool killed)
{
    struct surface_state *found = operation_surface(operation, surface);

    if (found == NULL)
        return ERROR_NOT_FOUND;
    return killed ? kill_surface(operation, found) : arm_surface(operation, found);
}

/* One line a surface: what it shows to clients from now on. */
static enum error log_certificates(struct operation *operation)
{
    struct gate *gate = operation->gate;
    enum error error = OK;

    for (size_t i = 0; i < gate->surfaces.config->surface_count; i++) {
        const struct surface_state *surface = &gate->surfaces.items[i];
        struct audit *audit;

        if (surface->tls == NULL)
            continue;
        audit = operation_line(operation, "certificate_loaded");
        audit_text(audit, "surface", surface->config->name);
        audit_text(audit, "certificate", surface->tls->facts.sha256);
        audit_number(audit, "not_after", surface->tls->facts.not_after);
        if (operation_commit(operation) != OK)
            error = ERROR_IO;
    }
    return error;
}

enum error switches_reload(struct operation *operation)
{
    struct gate *gate = operation->gate;
    enum error error;

    if (audit_reopen(gate->audit) != OK)
        log_error("the audit log cannot be opened anew at %s; going on with the old one",
                  gate->audit_path);
    error = surfaces_load_certificates(&gate->surfaces, clock_now(), operation->why,
                                       sizeof(operation->why));
    if (error != OK) {
        log_error("%s Going on with the certificates as they were.", operation->why);
        return error;
    }
    workers_send_certificates(gate->workers);
    return log_certificates(operation);
}
