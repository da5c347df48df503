/* Login addresses. Called by control/routes.c. */
#include "broker/operations/operation.h"

#include "policy/admission.h"
#include "policy/own_path.h"

#include <stdio.h>
#include <string.h>

#define HOST_BYTES_MAX 300

/* Browsers look for names below .localhost at these two. */
static const struct surface_listener *loopback_listener(const struct surface_state *surface)
{
    for (size_t i = 0; i < surface->listener_count; i++) {
        const char *address = surface->listeners[i].address;

        if (strncmp(address, "127.0.0.1:", 10) == 0 || strncmp(address, "[::1]:", 6) == 0)
            return &surface->listeners[i];
    }
    return NULL;
}

/* The name by which a browser had best call the surface. */
static const char *best_name(const struct surface_state *surface,
                             const struct surface_listener *listener, char room[HOST_BYTES_MAX])
{
    if (surface->config->hosts.count > 0)
        return surface->config->hosts.items[0];
    if (loopback_listener(surface) == NULL) {
        snprintf(room, HOST_BYTES_MAX, "%.*s",
                 (int)(strrchr(listener->address, ':') - listener->address), listener->address);
        return room;
    }
    return admission_own_host(surface->config, room) ? room : "localhost";
}

/* The authority of the address: a name and, unless it is the usual one, the port. */
static enum error build_authority(struct operation *operation, const struct surface_state *surface,
                                  const char *host, char out[HOST_BYTES_MAX])
{
    const struct surface_listener *listener = loopback_listener(surface);
    uint16_t usual = surface->config->tls != NULL ? 443 : 80;
    struct admission_listener asked;
    char address[HOST_BYTES_MAX], room[HOST_BYTES_MAX];
    const char *name, *bracket;

    if (listener == NULL && surface->listener_count > 0)
        listener = &surface->listeners[0];
    if (listener == NULL)
        return operation_fail(operation, ERROR_STATE, "the surface %s has no listener",
                              surface->config->name);
    name = host != NULL ? host : best_name(surface, listener, room);
    bracket = strrchr(name, ']');
    if (listener->port == usual || strchr(bracket != NULL ? bracket : name, ':') != NULL)
        snprintf(out, HOST_BYTES_MAX, "%s", name);
    else
        snprintf(out, HOST_BYTES_MAX, "%.255s:%u", name, listener->port);
    snprintf(address, sizeof(address), "%.*s",
             (int)(strrchr(listener->address, ':') - listener->address), listener->address);
    asked = (struct admission_listener){address, listener->port};
    if (!reason_allows(admission_host(surface->config, &asked, out)))
        return operation_fail(operation, ERROR_INVALID, "%.255s is not a name of the surface %s",
                              name, surface->config->name);
    return OK;
}

/* The session, and the surface that it is for. */
static enum error find_surface(struct operation *operation, const char *id,
                               struct surface_state **out)
{
    struct session session;
    enum error error = sessions_find_live(operation, id, &session);

    if (error != OK)
        return error;
    error = sessions_surface(operation, &session, out);
    if (error == OK && session.once)
        error = operation_fail(operation, ERROR_STATE,
                               "a single-use session is no use to a browser; make one without "
                               "\"once\"");
    session_clear(&session);
    return error;
}

enum error logins_issue(struct operation *operation, const char *id, const char *host,
                        struct buffer *url, int64_t *expires_at)
{
    char authority[HOST_BYTES_MAX], code[TICKET_SIZE];
    struct surface_state *surface;
    struct audit *line;
    enum error error = find_surface(operation, id, &surface);

    if (error == OK)
        error = build_authority(operation, surface, host, authority);
    if (error != OK)
        return error;
    line = operation_line(operation, "login_issued");
    audit_text(line, "session", id);
    audit_text(line, "surface", surface->config->name);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    error = sessions_issue_word(operation, &operation->gate->login_codes, "login_issued", surface,
                                id, code, expires_at);
    if (error != OK)
        return error;
    buffer_append_format(url, "http%s://%s" OWN_PATH_LOGIN "#%s",
                         surface->config->tls != NULL ? "s" : "", authority, code);
    secret_wipe(code, sizeof(code));
    return buffer_failed(url) ? ERROR_LIMIT : OK;
}
