/*
 * Reading anew what lies in files: the configuration, certificates, the audit log. Called by
 * control/routes.c and, for SIGHUP, by broker.c.
 */
#include "base/log.h"
#include "broker/core/anchoring.h"
#include "broker/core/journal.h"
#include "broker/core/opener.h"
#include "broker/operations/operation.h"
#include "setup/difference.h"

#include <stdlib.h>
#include <string.h>

#define FAULTS_BYTES_MAX (64 * 1024) /* of all that are told */

/* What is read, and looked at, on the thread that looks into files. */
struct reload {
    struct lane_job job; /* first */
    struct operation *operation;
    struct config_bundle fresh;
    struct json_faults faults;
    struct surfaces_certificates read;
};

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

/* A gate that was not started from a file has none to read. */
static enum error read_configuration(struct reload *reload)
{
    const struct gate *gate = reload->operation->gate;
    const struct config_bundle *bundle = gate->bundle;
    enum error error;

    if (bundle == NULL)
        return OK;
    error = opener_read(gate->opener, &reload->fresh, &reload->faults);
    return error == OK ? difference_check(bundle, &reload->fresh, &reload->faults) : error;
}

static void read_files(struct lane_job *job)
{
    struct reload *reload = (struct reload *)job;

    reload->read.error = read_configuration(reload);
    if (reload->read.error == OK)
        surfaces_read_certificates(&reload->read);
}

/* Whoever asked and the log are told all of them. */
static enum error refuse(const struct reload *reload)
{
    struct operation *operation = reload->operation;
    struct buffer lines;

    buffer_init(&lines, FAULTS_BYTES_MAX);
    for (size_t i = 0; i < reload->faults.count; i++) {
        size_t before = lines.length;

        bundle_tell_fault(&reload->fresh, &reload->faults.items[i], &lines);
        if (!buffer_failed(&lines))
            log_error("%s", lines.data + before);
        buffer_append_text(&lines, "\n");
    }
    log_error("Nothing is read anew: everything stays as it was.");
    operation_fail(operation, reload->read.error, "the configuration has faults");
    if (buffer_failed(&lines) || lines.length == 0)
        buffer_clear(&lines);
    else
        operation->faults = lines.data; /* its bytes are the operation's now */
    return reload->read.error;
}

/* What a surface is for: the register and `status` show it. */
static void keep_words(struct gate *gate, struct config_bundle *fresh)
{
    struct config *config = gate->bundle->config;

    for (size_t i = 0; i < config->surface_count; i++) {
        struct surface *surface = &config->surfaces[i], *other = NULL;
        struct surface words = {.why = surface->why, .can_do = surface->can_do};

        for (size_t j = 0; other == NULL && j < fresh->config->surface_count; j++) {
            if (strcmp(fresh->config->surfaces[j].name, surface->name) == 0)
                other = &fresh->config->surfaces[j];
        }
        if (other == NULL)
            continue;
        surface->why = other->why;
        surface->can_do = other->can_do;
        other->why = words.why;
        other->can_do = words.can_do;
    }
}

static enum error keep(struct reload *reload)
{
    struct gate *gate = reload->operation->gate;
    enum error error;

    if (reload->faults.count > 0)
        return refuse(reload);
    error = surfaces_keep_certificates(&gate->surfaces, &reload->read);
    if (error != OK) {
        operation_fail(reload->operation, error, "%s", reload->read.why);
        log_error("%s Going on with the certificates as they were.", reload->operation->why);
        return error;
    }
    if (gate->bundle != NULL)
        keep_words(gate, &reload->fresh);
    workers_send_certificates(gate->workers);
    return log_certificates(reload->operation);
}

static void keep_files(struct lane_job *job)
{
    struct reload *reload = (struct reload *)job;
    struct operation *operation = reload->operation;
    enum error error = keep(reload);

    operation->gate->reloading = false;
    bundle_clear(&reload->fresh);
    free(reload);
    operation_end(operation, error);
}

/* One at a time: what the next compares with is what this one leaves. */
static struct reload *begin(struct operation *operation)
{
    struct gate *gate = operation->gate;
    struct reload *reload = NULL;

    if (gate->reloading)
        operation_end(operation, operation_fail(operation, ERROR_STATE,
                                                "another reload is under way; try again"));
    else if ((reload = calloc(1, sizeof(*reload))) == NULL)
        operation_end(operation, operation_fail(operation, ERROR_MEMORY, "out of memory"));
    else
        gate->reloading = true;
    return reload;
}

void reload_files(struct operation *operation)
{
    struct gate *gate = operation->gate;
    struct reload *reload = begin(operation);

    if (reload == NULL)
        return;
    anchoring_now(gate);
    if (audit_reopen(gate->audit) != OK)
        log_error("the audit log cannot be opened anew at %s; going on with the old one",
                  gate->audit_path);
    reload->job = (struct lane_job){.work = read_files, .done = keep_files};
    reload->operation = operation;
    reload->read.config = gate->surfaces.config;
    reload->read.opener = gate->opener;
    reload->read.now = clock_now();
    lane_give(executables_lane(gate->executables), &reload->job);
}
