/* Gathers what the register says of the surfaces from a running gate and the operating system. */
#include "broker/operations/register.h"

#include "broker/core/service_fences.h"
#include "broker/operations/operation.h"
#include "setup/fences.h"
#include "system/execution_fence.h"
#include "system/listener.h"
#include "system/lockdown.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096

/* Asks the kernel where each listener is bound; one that cannot be asked is not claimed. */
static enum error gather_listeners(const struct surface_state *surface,
                                   struct register_facts *facts)
{
    facts->listeners_loopback = true;
    for (size_t i = 0; i < surface->listener_count; i++) {
        struct listener bound = {.fd = surface->listeners[i].fd};
        char text[SURFACE_ADDRESS_SIZE];
        enum error error;

        if (listener_describe(&bound) != OK)
            continue;
        surfaces_print_address(&bound, text);
        facts->listeners_loopback =
            facts->listeners_loopback &&
            (strncmp(bound.address, "127.", 4) == 0 || strcmp(bound.address, "::1") == 0);
        error = text_list_add(&facts->listeners, text, strlen(text));
        if (error != OK)
            return error;
    }
    return OK;
}

static void gather_socket(const char *path, struct register_socket *out)
{
    char directory[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    struct stat status;
    size_t length;

    if (slash == NULL || (size_t)(slash - path) >= sizeof(directory))
        return;
    length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(directory, path, length);
    directory[length] = '\0';
    if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode))
        return;
    out->directory_known = true;
    out->directory_mode = status.st_mode & 07777;
    out->directory_owner = status.st_uid;
    out->directory_private = (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
                             (status.st_uid == geteuid() || status.st_uid == 0);
    out->socket_there = stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static void count_sessions(const struct store_tally *tally, struct register_facts *facts)
{
    for (size_t i = 0; i < tally->count; i++) {
        const struct store_tally_row *row = &tally->rows[i];

        if (strcmp(row->surface, facts->surface->name) != 0)
            continue;
        facts->sessions = row->active;
        facts->sessions_any_caller = row->any_caller;
    }
}

/* Of a service that runs, what is found out; of another, what this kernel can hold. */
static uint32_t find_unfenced(const struct surface_state *surface, unsigned landlock)
{
    const uint32_t promised = fences_promised(&surface->config->command);
    struct proof_found found;

    if (service_fences_judge(surface, &found))
        return found.missing | found.unknown;
    return fences_lacking(promised, landlock);
}

enum error register_state_gather(const struct gate *gate, const struct store_tally *sessions,
                                 const char *lacking, struct register_facts *facts)
{
    size_t count = gate->surfaces.count;
    const char *unheld = execution_fence_lacks(gate->proof.landlock);
    bool lockdown = lockdown_stands(gate->surfaces.config->state_dir);
    enum error error = OK;

    for (size_t i = 0; i < count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];

        facts[i] = (struct register_facts){.surface = surface->config,
                                           .config = gate->surfaces.config,
                                           .lacking = lacking,
                                           .unheld = unheld,
                                           .unfenced = find_unfenced(surface, gate->proof.landlock),
                                           .live = true,
                                           .killed = surface->killed,
                                           .lockdown = lockdown,
                                           .rehearsed_at = surface->rehearsal.at,
                                           .rehearsed_ms = surface->rehearsal.took_ms,
                                           .rehearsed_connections = surface->rehearsal.connections};
        facts[i].connections = connections_of_surface(&gate->connections, surface);
        count_sessions(sessions, &facts[i]);
        facts[i].service = surface->service.state;
        facts[i].service_why = surface->service.why;
        facts[i].service_sight = surface->service.sight;
        facts[i].service_proven_at = surface->service.proven_at;
        if (surface->config->upstream_socket != NULL)
            gather_socket(surface->config->upstream_socket, &facts[i].socket);
        if (error == OK)
            error = gather_listeners(surface, &facts[i]);
    }
    if (error != OK) {
        for (size_t i = 0; i < count; i++)
            register_facts_clear(&facts[i]);
    }
    return error;
}
