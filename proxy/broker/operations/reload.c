/*
 * Reading anew what lies in files: the configuration, certificates, the audit log. Called by
 * control/routes.c and, for SIGHUP, by broker.c.
 *
 *   read_files (on a thread)   reads, looks at and binds all; nothing that runs is touched
 *   put_in_force               one line in the log, then everything at once
 *   settle                     when the workers have followed and the store has written
 */
#include "base/log.h"
#include "broker/core/anchoring.h"
#include "broker/core/executables.h"
#include "broker/core/journal.h"
#include "broker/core/switching.h"
#include "broker/core/workers_options.h"
#include "broker/operations/operation.h"
#include "system/audit_line.h"

#include <stdio.h>
#include <stdlib.h>

#define FAULTS_BYTES_MAX (64 * 1024) /* of all that are told */
#define NAMES_PER_LINE   12          /* of the audit log, of each kind */
#define SLOW_MS          5000        /* after which whoever asked does not wait for slow workers */

_Static_assert(NAMES_PER_LINE *(CONFIG_NAME_BYTES_MAX + 2) < AUDIT_VALUE_BYTES_MAX,
               "names are not cut");

struct reload;

/* The sessions of a surface that is gone. */
struct revocation {
    struct reload *reload;
    const char *surface;
    size_t count;
};

struct reload {
    struct lane_job job;         /* first */
    struct operation *operation; /* NULL: whoever asked has been answered */
    struct gate *gate;
    uint32_t operator_uid;
    struct fresh fresh;
    struct revocation revocations[CONFIG_SURFACES_MAX];
    unsigned pending; /* of what settle() waits for */
    enum error error;
    uv_timer_t slow;
};

static void read_files(struct lane_job *job)
{
    struct reload *reload = (struct reload *)job;

    reload->error = fresh_read(reload->gate, clock_now(), &reload->fresh);
}

/* ---- The end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void answer(struct reload *reload, enum error error)
{
    struct operation *operation = reload->operation;

    reload->operation = NULL;
    if (operation == NULL)
        return;
    operation->way.reload.difference = &reload->fresh.difference;
    operation_end(operation, error);
}

/* The next may begin. */
static void end(struct reload *reload)
{
    reload->gate->reloading = false;
    answer(reload, reload->error);
    fresh_clear(&reload->fresh);
    if (reload->slow.loop != NULL)
        uv_close((uv_handle_t *)&reload->slow, on_timer_closed);
    else
        free(reload);
}

static void settle(struct reload *reload)
{
    if (--reload->pending == 0)
        end(reload);
}

/* No other may begin before all have followed: one that never does would hold up all. */
static void on_too_slow(uv_timer_t *timer)
{
    const struct reload *reload = timer->data;

    switching_lose_patience(reload->gate);
}

static void on_slow(uv_timer_t *timer)
{
    struct reload *reload = timer->data;

    log_warning("a worker has not taken up yet what was read anew; nobody is granted anything "
                "that is not in force any more");
    answer(reload, reload->error);
    uv_timer_start(timer, on_too_slow, WORKER_PATIENCE_MS, 0);
}

/* ---- What is wrong ---- */

/* Whoever asked and the log are told all of them. */
static void refuse(const struct reload *reload)
{
    struct operation *operation = reload->operation;
    struct buffer lines;

    buffer_init(&lines, FAULTS_BYTES_MAX);
    for (size_t i = 0; i < reload->fresh.faults.count; i++) {
        size_t before = lines.length;

        bundle_tell_fault(&reload->fresh.bundle, &reload->fresh.faults.items[i], &lines);
        if (!buffer_failed(&lines))
            log_error("%s", lines.data + before);
        buffer_append_text(&lines, "\n");
    }
    log_error("Nothing is read anew: everything stays as it was.");
    operation_fail(operation, reload->error, "the configuration has faults");
    if (buffer_failed(&lines) || lines.length == 0)
        buffer_clear(&lines);
    else
        operation->faults = lines.data; /* its bytes are the operation's now */
}

static void fail(const struct reload *reload)
{
    if (reload->fresh.faults.count > 0) {
        refuse(reload);
        return;
    }
    operation_fail(reload->operation, reload->error, "%s", reload->fresh.certificates.why);
    log_error("%s Going on with the certificates as they were.", reload->operation->why);
}

/* ---- What is good ---- */

/* So many from one of them on. */
static void add_names(struct audit *line, const char *key, const struct text_list *names,
                      size_t from)
{
    char text[NAMES_PER_LINE * (CONFIG_NAME_BYTES_MAX + 2) + 1] = "";
    size_t length = 0;

    for (size_t i = from; i < names->count && i < from + NAMES_PER_LINE; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
                                   i > from ? ", " : "", names->items[i]);
    audit_text(line, key, text);
}

/* Which surfaces are other now; before they are. More than a value holds need several lines. */
static enum error log_difference(struct reload *reload)
{
    const struct difference *difference = &reload->fresh.difference;
    enum error error = OK;

    for (size_t from = 0;
         error == OK && (from < difference->added.count || from < difference->changed.count ||
                         from < difference->removed.count);
         from += NAMES_PER_LINE) {
        struct audit *line = operation_line(reload->operation, "reloaded");

        add_names(line, "added", &difference->added, from);
        add_names(line, "changed", &difference->changed, from);
        add_names(line, "removed", &difference->removed, from);
        error = operation_commit(reload->operation);
    }
    return error;
}

/* One line a surface: what it shows to clients from now on. */
static enum error log_certificates(struct operation *operation)
{
    const struct surfaces *surfaces = &operation->gate->surfaces;
    enum error error = OK;

    for (size_t i = 0; i < surfaces->count; i++) {
        const struct surface_state *surface = surfaces->live[i];
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

static void on_switched(void *context)
{
    settle(context);
}

static void on_revoked(void *context, enum error error)
{
    const struct revocation *revocation = context;
    struct reload *reload = revocation->reload;
    struct audit *audit = reload->gate->audit;

    if (error != OK && reload->operation != NULL)
        reload->error =
            operation_fail_store(reload->operation, error,
                                 "keep that the sessions of surfaces that are gone are revoked");
    if (error == OK) {
        audit_begin(audit, "sessions_revoked");
        audit_number(audit, "operator_uid", reload->operator_uid);
        audit_text(audit, "surface", revocation->surface);
        audit_number(audit, "count", (int64_t)revocation->count);
        journal_commit(audit);
    }
    settle(reload);
}

/* Also for a gate that has a surface of that name again. */
static void revoke_removed(struct reload *reload)
{
    const struct text_list *removed = &reload->fresh.difference.removed;

    for (size_t i = 0; i < removed->count; i++) {
        struct revocation *revocation = &reload->revocations[i];

        *revocation = (struct revocation){.reload = reload, .surface = removed->items[i]};
        reload->pending++;
        store_session_revoke_all(reload->gate->store, revocation->surface, clock_now(),
                                 &revocation->count, (struct store_reply){on_revoked, revocation});
    }
}

/* Nothing is logged where nothing is other. */
static enum error prepare(struct reload *reload)
{
    enum error error = switching_prepare(reload->gate, &reload->fresh);

    if (error == ERROR_LIMIT)
        return operation_fail(reload->operation, ERROR_STATE,
                              "too many connections of earlier surfaces are still being closed; "
                              "try again");
    if (error != OK)
        return operation_fail(reload->operation, error, "the surfaces cannot be put in force: %s",
                              error_text(error));
    return log_difference(reload);
}

/* Without a file there are the certificates alone. */
static enum error put_in_force(struct reload *reload)
{
    struct gate *gate = reload->gate;
    enum error error = OK;

    reload->pending = 1;
    if (gate->bundle == NULL) {
        error = surfaces_keep_certificates(&gate->surfaces, &reload->fresh.certificates);
        workers_send_certificates(gate->workers);
    } else {
        error = prepare(reload);
        if (error != OK)
            return error;
        uv_timer_init(&gate->loop, &reload->slow);
        reload->slow.data = reload;
        uv_timer_start(&reload->slow, on_slow, SLOW_MS, 0);
        reload->pending++;
        switching_begin(gate, &reload->fresh, on_switched, reload);
        revoke_removed(reload);
    }
    return error == OK ? log_certificates(reload->operation) : error;
}

static void on_read(struct lane_job *job)
{
    struct reload *reload = (struct reload *)job;

    if (reload->error != OK) {
        fail(reload);
        reload->pending = 1;
    } else {
        reload->error = put_in_force(reload);
    }
    settle(reload);
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
    reload->job = (struct lane_job){.work = read_files, .done = on_read};
    reload->operation = operation;
    reload->operator_uid = operation->uid;
    reload->gate = gate;
    lane_give(executables_lane(gate->executables), &reload->job);
}
