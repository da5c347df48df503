/* The kill switch. Called by control/routes.c and, under lockdown, by the broker's start. */
#include "base/log.h"
#include "broker/core/journal.h"
#include "broker/operations/operation.h"
#include "system/lockdown.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALL "*" /* in the log: every surface */

/* What an operation is about: one surface, or all in force. */
struct scope {
    const char *name; /* NULL: all */
    struct surface_state *const *items;
    size_t count;
    struct surface_state *one;
};

static enum error find_scope(struct operation *operation, const char *name, struct scope *out)
{
    const struct surfaces *surfaces = &operation->gate->surfaces;

    *out = (struct scope){.items = surfaces->live, .count = surfaces->count};
    if (name == NULL)
        return OK;
    out->one = operation_surface(operation, name);
    out->items = &out->one;
    out->count = 1;
    if (out->one == NULL)
        return ERROR_NOT_FOUND;
    out->name = out->one->config->name;
    return OK;
}

/* What a reload put another in the place of, or nothing, may have connections still. */
static bool is_left_behind(const struct surface_state *surface, const struct scope *scope)
{
    return surface->config != NULL && surface->leaving &&
           (scope->name == NULL || strcmp(surface->config->name, scope->name) == 0);
}

static void prepare(struct operation *operation, const struct scope *scope,
                    void (*done)(struct cutting *cut))
{
    struct cutting *cut = &operation->way.kill.cut;

    *cut = (struct cutting){.done = done, .context = operation};
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        cut->slots[i] = is_left_behind(&operation->gate->surfaces.items[i], scope);
    for (size_t i = 0; i < scope->count; i++)
        cut->slots[surfaces_index(&operation->gate->surfaces, scope->items[i])] = true;
    operation->way.kill.cause = NULL;
    operation->way.kill.error = OK;
    operation->way.kill.sessions = 0;
    snprintf(operation->way.kill.name, sizeof(operation->way.kill.name), "%s",
             scope->name != NULL ? scope->name : ALL);
}

int64_t switches_took_ms(const struct operation *operation)
{
    return (int64_t)((operation->way.kill.cut.took_ns + 999999) / 1000000);
}

/* What became of it. Who was connected before a lockdown went with the broker that knew of him. */
static enum error log_outcome(struct operation *operation, const char *event)
{
    struct audit *line = operation_line(operation, event);

    audit_text(line, "surface", operation->way.kill.name);
    audit_text(line, "lockdown", operation->way.kill.cause);
    if (operation->way.kill.cause == NULL) {
        audit_number(line, "connections", (int64_t)operation->way.kill.cut.connections);
        audit_number(line, "ms", switches_took_ms(operation));
    }
    audit_number(line, "sessions", (int64_t)operation->way.kill.sessions);
    return operation_commit(operation);
}

/* ---- Killed ---- */

/* Told only of what is true: nobody gets in, nobody is in, and all of it is on the disk. */
static void end_kill(struct operation *operation)
{
    enum error error = operation->way.kill.error;

    if (error == OK)
        error = log_outcome(operation, "kill_done");
    else if (operation->reason != REASON_AUDIT_UNAVAILABLE)
        operation_undo(operation, "surface_killed");
    operation_end(operation, error);
}

static void finish_part(struct operation *operation, enum error error)
{
    if (error != OK)
        operation->way.kill.error = error;
    if (--operation->way.kill.parts == 0)
        end_kill(operation);
}

static void on_cut(struct cutting *cut)
{
    finish_part(cut->context, OK);
}

static void on_gone(struct services_end *end, enum error error)
{
    struct operation *operation = end->context;
    struct cutting *cut = &operation->way.kill.cut;

    if (error != OK)
        operation_fail(operation, error,
                       "%s is killed, but Sidelock ends before all of its services are known to "
                       "be gone",
                       operation->way.kill.name);
    else if (cut->took_ns < uv_hrtime() - cut->begun_ns)
        cut->took_ns = uv_hrtime() - cut->begun_ns;
    finish_part(operation, error);
}

/* What is launched ends whole. */
static void end_services(struct operation *operation)
{
    struct services_end *end = &operation->way.kill.services;

    *end = (struct services_end){.gone = on_gone, .context = operation};
    memcpy(end->slots, operation->way.kill.cut.slots, sizeof(end->slots));
    services_kill(operation->gate->services, end);
}

static void on_kept(void *context, enum error error)
{
    struct operation *operation = context;

    if (error != OK)
        operation_fail(
            operation, error,
            "%s is killed now, but the store could not keep all of that (%s): it, or its "
            "sessions, would come back after a restart",
            operation->way.kill.name, error_text(error));
    finish_part(operation, error);
}

/* At once, whatever becomes of the rest. */
static enum error log_killed(struct operation *operation, const struct scope *scope)
{
    enum error error = OK;

    for (size_t i = 0; i < scope->count; i++) {
        struct audit *line = operation_line(operation, "surface_killed");
        enum error logged;

        audit_text(line, "surface", scope->items[i]->config->name);
        audit_text(line, "lockdown", operation->way.kill.cause);
        logged = operation_commit(operation);
        error = error == OK ? logged : error;
    }
    return error;
}

/* Nobody gets in before anything else can fail: what fails is reported afterwards. */
static void kill_for(struct operation *operation, const char *surface, const char *cause)
{
    struct store *store = operation->gate->store;
    struct store_reply reply = {on_kept, operation};
    struct scope scope;

    if (find_scope(operation, surface, &scope) != OK) {
        operation_end(operation, ERROR_NOT_FOUND);
        return;
    }
    prepare(operation, &scope, on_cut);
    operation->way.kill.cause = cause;
    operation->way.kill.parts = (unsigned)scope.count + 4; /* cut, services, sessions, this */
    for (size_t i = 0; i < scope.count; i++) {
        scope.items[i]->killed = true;
        scope.items[i]->kills++;
    }
    end_services(operation);
    cutting_begin(operation->gate, &operation->way.kill.cut, REASON_SURFACE_KILLED);
    for (size_t i = 0; i < scope.count; i++)
        store_surface_set_killed(store, scope.items[i]->config->name, true, clock_now(), reply);
    store_session_revoke_all(store, scope.name, clock_now(), &operation->way.kill.sessions, reply);
    finish_part(operation, log_killed(operation, &scope));
}

void switches_kill(struct operation *operation, const char *surface)
{
    kill_for(operation, surface, NULL);
}

static void on_locked_down(struct operation *operation, enum error error)
{
    if (error != OK)
        log_error("lockdown: %s", operation->why);
}

void switches_lock_down(struct gate *gate, const char *cause)
{
    char path[LOCKDOWN_PATH_SIZE];
    struct operation operation;

    lockdown_path(gate->surfaces.config->state_dir, path);
    log_error("lockdown: every surface is killed, and none can be armed while %s is there", path);
    operation_init(&operation, gate, geteuid());
    operation.done = on_locked_down;
    kill_for(&operation, NULL, cause);
    store_finish(gate->store);
}

/* ---- Rehearsed ---- */

static void on_rehearsed(struct cutting *cut)
{
    struct operation *operation = cut->context;
    struct surfaces *surfaces = &operation->gate->surfaces;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_state *surface = &surfaces->items[i];

        if (!surface->rehearsing)
            continue;
        surface->rehearsing = false;
        surface->rehearsal.at = clock_now();
        surface->rehearsal.connections = cut->connections;
        surface->rehearsal.took_ms = switches_took_ms(operation);
    }
    operation_end(operation, log_outcome(operation, "kill_rehearsed"));
}

/* Where one is killed already, or about to be, there is nothing to be measured. */
static enum error check_rehearsal(struct operation *operation, const struct scope *scope)
{
    if (operation->gate->cuttings != NULL)
        return operation_fail(operation, ERROR_STATE,
                              "connections are being cut already; try again in a moment");
    for (size_t i = 0; i < scope->count; i++) {
        if (scope->items[i]->killed)
            return operation_fail(operation, ERROR_STATE,
                                  "%s is killed; a rehearsal is for surfaces that serve",
                                  scope->items[i]->config->name);
    }
    return OK;
}

void switches_rehearse(struct operation *operation, const char *surface)
{
    struct scope scope;
    enum error error = find_scope(operation, surface, &scope);

    if (error == OK)
        error = check_rehearsal(operation, &scope);
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    prepare(operation, &scope, on_rehearsed);
    for (size_t i = 0; i < scope.count; i++)
        scope.items[i]->rehearsing = true;
    cutting_begin(operation->gate, &operation->way.kill.cut, REASON_KILL_REHEARSED);
}

/* ---- Armed ---- */

/*
 * Once that is on the disk, unless it was killed again meanwhile. By its name: a reload may
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
    services_follow(operation->gate->services);
    operation_end(operation, error);
}

/* What is being cut is armed only when nothing of it is left, or the cut would never end. */
static enum error check_arming(struct operation *operation, const struct surface_state *surface)
{
    const char *state_dir = operation->gate->surfaces.config->state_dir;
    char path[LOCKDOWN_PATH_SIZE];

    lockdown_path(state_dir, path);
    if (lockdown_stands(state_dir))
        return operation_fail(operation, ERROR_STATE,
                              "nothing is armed under lockdown; remove %.300s, then try again",
                              path);
    if (cutting_waits_for(operation->gate, surface))
        return operation_fail(operation, ERROR_STATE,
                              "connections of %s are still being cut; try again in a moment",
                              surface->config->name);
    return OK;
}

void switches_arm(struct operation *operation, const char *name)
{
    struct surface_state *surface = operation_surface(operation, name);
    enum error error = surface != NULL ? check_arming(operation, surface) : ERROR_NOT_FOUND;

    if (error == OK) {
        snprintf(operation->way.arm.name, sizeof(operation->way.arm.name), "%s",
                 surface->config->name);
        operation->way.arm.turn = surface->kills;
        audit_text(operation_line(operation, "surface_armed"), "surface", operation->way.arm.name);
        error = operation_commit(operation);
    }
    if (error == OK)
        store_surface_set_killed(operation->gate->store, operation->way.arm.name, false,
                                 clock_now(), (struct store_reply){on_armed, operation});
    else
        operation_end(operation, error);
}
