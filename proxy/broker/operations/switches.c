/* The kill switch and reloading. Called by control/routes.c and, for SIGHUP, by broker.c. */
#include "broker/operations/operation.h"

#include "base/log.h"
#include "broker/core/anchoring.h"
#include "broker/core/journal.h"

#include <stdlib.h>

static void on_killed(void *context, enum error error)
{
    struct operation *operation = context;
    const char *name = operation->way.arm.surface->config->name;
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

/* Armed once that is on the disk, unless it was killed again meanwhile. */
static void on_armed(void *context, enum error error)
{
    struct operation *operation = context;
    struct surface_state *surface = operation->way.arm.surface;

    error = operation_kept(operation, error, "surface_armed", "keep that the surface is armed");
    if (error == OK && surface->kills == operation->way.arm.turn)
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
    operation->way.arm.surface = found;
    operation->way.arm.turn = found->kills;
    if (killed)
        kill_surface(operation, found);
    else
        arm_surface(operation, found->config->name);
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

/* Files are read and keys are checked on the thread that looks into files. */
struct reload {
    struct lane_job job; /* first */
    struct operation *operation;
    struct surfaces_certificates read;
};

static void read_files(struct lane_job *job)
{
    surfaces_read_certificates(&((struct reload *)job)->read);
}

static void keep_files(struct lane_job *job)
{
    struct reload *reload = (struct reload *)job;
    struct operation *operation = reload->operation;
    struct gate *gate = operation->gate;
    enum error error = surfaces_keep_certificates(&gate->surfaces, &reload->read);

    if (error != OK) {
        operation_fail(operation, error, "%s", reload->read.why);
        log_error("%s Going on with the certificates as they were.", operation->why);
    } else {
        workers_send_certificates(gate->workers);
        error = log_certificates(operation);
    }
    free(reload);
    operation_end(operation, error);
}

void switches_reload(struct operation *operation)
{
    struct gate *gate = operation->gate;
    struct reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL) {
        operation_end(operation, operation_fail(operation, ERROR_MEMORY, "out of memory"));
        return;
    }
    anchoring_now(gate);
    if (audit_reopen(gate->audit) != OK)
        log_error("the audit log cannot be opened anew at %s; going on with the old one",
                  gate->audit_path);
    reload->job = (struct lane_job){.work = read_files, .done = keep_files};
    reload->operation = operation;
    reload->read.config = gate->surfaces.config;
    reload->read.now = clock_now();
    lane_give(executables_lane(gate->executables), &reload->job);
}
