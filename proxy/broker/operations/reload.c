#include "base/log.h"
#include "broker/core/surfaces.h"
#include "broker/operations/switches.h"

/* One line a surface: what it shows to clients from now on. */
static enum error log_certificates(struct operation *operation)
{
    struct broker *broker = operation->broker;
    enum error error = OK;

    for (size_t i = 0; i < broker->config->surface_count; i++) {
        const struct broker_surface *surface = &broker->surfaces[i];
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

enum error operations_reload(struct operation *operation)
{
    struct broker *broker = operation->broker;
    enum error error;

    if (audit_reopen(broker->audit) != OK)
        log_error("the audit log cannot be opened anew at %s; going on with the old one",
                  broker->audit_path);
    error = certificates_load(broker, operation->why, sizeof(operation->why));
    if (error != OK) {
        log_error("%s Going on with the certificates as they were.", operation->why);
        return error;
    }
    workers_send_certificates(broker->workers);
    return log_certificates(operation);
}
