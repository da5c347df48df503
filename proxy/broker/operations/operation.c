#include "broker/operations/operation.h"

#include "base/log.h"
#include "broker/core/journal.h"

#include <stdarg.h>
#include <stdio.h>

void operation_init(struct operation *operation, struct gate *gate, uint32_t uid)
{
    *operation = (struct operation){.gate = gate, .uid = uid, .reason = REASON_INTERNAL};
}

void operation_end(struct operation *operation, enum error error)
{
    if (operation->done != NULL)
        operation->done(operation, error);
}

enum error operation_fail(struct operation *operation, enum error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(operation->why, sizeof(operation->why), format, arguments);
    va_end(arguments);
    return error;
}

enum error operation_fail_store(struct operation *operation, enum error error, const char *what)
{
    log_error("the store could not %s: %s", what, error_text(error));
    return operation_fail(operation, error,
                          "the store could not %s (%s); see the log of `sidelock serve`", what,
                          error_text(error));
}

struct audit *operation_line(struct operation *operation, const char *event)
{
    struct audit *audit = operation->gate->audit;

    audit_begin(audit, event);
    audit_number(audit, "operator_uid", operation->uid);
    return audit;
}

enum error operation_commit(struct operation *operation)
{
    if (journal_commit_grant(operation->gate, operation->gate->audit))
        return OK;
    operation->reason = REASON_AUDIT_UNAVAILABLE; /* audit.c has said what is wrong */
    return operation_fail(operation, ERROR_IO,
                          "the audit log %.300s cannot be written; make room or correct its "
                          "permissions, then try again",
                          operation->gate->audit_path);
}

void operation_undo(struct operation *operation, const char *event)
{
    struct audit *audit = operation_line(operation, "operation_failed");

    audit_text(audit, "operation", event);
    audit_text(audit, "detail", operation->why);
    journal_commit(audit);
}

enum error operation_kept(struct operation *operation, enum error error, const char *event,
                          const char *what)
{
    if (error == OK)
        return OK;
    operation_fail_store(operation, error, what);
    operation_undo(operation, event);
    return error;
}

struct surface_state *operation_surface(struct operation *operation, const char *name)
{
    struct surface_state *surface = surfaces_find(&operation->gate->surfaces, name);

    if (surface == NULL)
        operation_fail(operation, ERROR_NOT_FOUND,
                       "there is no surface %.*s; `sidelock status` lists them",
                       CONFIG_NAME_BYTES_MAX, name);
    return surface;
}
