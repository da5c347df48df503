/* Services that are launched: started again, proven again, looked into. Called by control/routes.c.
 */
#include "broker/core/journal.h"
#include "broker/operations/operation.h"

/* One in force whose one service Sidelock has started, or would; NULL with why. */
static struct surface_state *find_launched(struct operation *operation, const char *name,
                                           enum error *error)
{
    struct surface_state *surface = operation_surface(operation, name);

    if (surface == NULL)
        *error = ERROR_NOT_FOUND;
    else if (!surface_is_launched(surface->config))
        *error = operation_fail(operation, ERROR_STATE,
                                "the service of %s is not started by Sidelock: it listens by "
                                "itself, at %s",
                                surface->config->name,
                                surface->config->upstream_socket != NULL
                                    ? surface->config->upstream_socket
                                    : surface->config->upstream_tcp.text);
    else if (surface->config->upstream_stdio)
        *error = operation_fail(operation, ERROR_STATE,
                                "%s has no one service: each MCP session has a process of its own",
                                surface->config->name);
    else if (surface->killed)
        *error = operation_fail(operation, ERROR_STATE,
                                "%s is killed; `sidelock arm %s` starts its service",
                                surface->config->name, surface->config->name);
    else
        return surface;
    return NULL;
}

static void on_restarted(struct services_restart *restart, enum error error, const char *why)
{
    struct operation *operation = restart->context;

    if (error != OK) {
        operation_fail(operation, error, "%s is not served again: %s",
                       restart->surface->config->name, why);
        operation_undo(operation, "service_restart");
    }
    operation_end(operation, error);
}

void launched_restart(struct operation *operation, const char *name)
{
    struct services_restart *restart = &operation->way.restart;
    enum error error = OK;
    struct surface_state *surface = find_launched(operation, name, &error);

    if (surface != NULL) {
        audit_text(operation_line(operation, "service_restart"), "surface", surface->config->name);
        error = operation_commit(operation);
    }
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    *restart =
        (struct services_restart){.surface = surface, .done = on_restarted, .context = operation};
    services_restart(operation->gate->services, restart);
}

static void on_proven(struct services_proof *proof)
{
    struct operation *operation = proof->context;

    operation->way.prove.next(operation);
}

void launched_prove(struct operation *operation, void (*next)(struct operation *operation))
{
    struct services_proof *proof = &operation->way.prove.proof;

    operation->way.prove.next = next;
    *proof = (struct services_proof){.done = on_proven, .context = operation};
    services_prove(operation->gate->services, proof);
}

static void on_entered(struct services_dial *dial, enum reason reason, int fd)
{
    struct operation *operation = dial->context;
    enum error error = OK;

    *operation->way.enter.network = fd;
    if (fd < 0) {
        error = operation_fail(operation, ERROR_STATE, "nothing of %s is there to look into: %s",
                               dial->surface->config->name, reason_info(reason)->text);
        operation_undo(operation, "service_entered");
    }
    operation_end(operation, error);
}

void launched_enter(struct operation *operation, const char *name, int *network)
{
    enum error error = OK;
    struct surface_state *surface = find_launched(operation, name, &error);

    *network = -1;
    if (surface != NULL) {
        audit_text(operation_line(operation, "service_entered"), "surface", surface->config->name);
        error = operation_commit(operation);
    }
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    operation->way.enter.network = network;
    operation->way.enter.dial = (struct services_dial){
        .surface = surface, .enters = true, .dialed = on_entered, .context = operation};
    services_dial(operation->gate->services, surface, &operation->way.enter.dial);
}
