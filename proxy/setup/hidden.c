#include "setup/hidden.h"

#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the whole host. */
static const char *const everywhere[] = {
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/run/systemd/notify", /* where lines and words would be those of the gate's own unit: */
    "/run/systemd/journal",
    "/dev/log",
    "/run/docker.sock",
    "/run/docker",
    "/run/podman",
    "/run/containerd",
    "/run/crio",
    "/run/libvirt",
    "/run/lxd.socket",
    "/var/lib/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/run/snapd.socket",
    "/run/screen",
    "/run/sidelock",
    "/run/sidelock-wrap",  /* root's, which is there before its socket */
    "/run/sidelock-gates", /* of sidelock@NAME: others may be of this gate's user */
    "/var/lib/sidelock",
    "/var/lib/sidelock-gates",
};

static enum error add(struct text_list *list, const char *path)
{
    struct span span = span_of(path);

    if (path == NULL || path[0] != '/' || text_list_contains(list, span))
        return OK;
    return list->count < HIDDEN_MAX ? text_list_add(list, path, span.length) : ERROR_LIMIT;
}

/* Of the user: "/run/user/1000", "/tmp/tmux-1000". */
static enum error add_of_user(struct text_list *list, uint32_t uid)
{
    static const char *const directories[] = {"/run/user/", "/tmp/tmux-"};
    enum error error = OK;

    for (size_t i = 0; error == OK && i < sizeof(directories) / sizeof(directories[0]); i++) {
        char path[64];

        snprintf(path, sizeof(path), "%s%u", directories[i], uid);
        error = add(list, path);
    }
    return error;
}

/* Where the variable leads, if it names a socket by its path. */
static enum error add_variable(struct text_list *list, const char *item)
{
    static const char *const names[] = {"SSH_AUTH_SOCK=", "DBUS_SESSION_BUS_ADDRESS=unix:path=",
                                        "DOCKER_HOST=unix://", "TMUX=", "XDG_RUNTIME_DIR="};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);
        char path[4096];

        if (strncmp(item, names[i], length) != 0)
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(item + length, ","), item + length);
        return add(list, path);
    }
    return OK;
}

/* Of gates whose state is where `sidelock init` has it: those that are there now. */
static enum error add_states(struct text_list *list, const char *home, const char *below)
{
    static const char own[] = "sidelock";
    char path[4096];
    const struct dirent *entry;
    enum error error = OK;
    DIR *directory;

    snprintf(path, sizeof(path), "%s%s", home, below);
    directory = opendir(path);
    if (directory == NULL)
        return OK; /* there is none, or none that a service could read either */
    while (error == OK && (entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, own, strlen(own)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s%s/%s", home, below, entry->d_name);
        error = add(list, path);
    }
    closedir(directory);
    return error;
}

/* Of ours, and of the user whom the service is. */
static enum error add_all_states(struct text_list *list, uint32_t uid, char *const *ours)
{
    static const struct {
        const char *name, *below;
    } rows[] = {{"XDG_STATE_HOME=", ""}, {"HOME=", "/.local/state"}};
    const struct passwd *user = getpwuid(uid);
    enum error error = user != NULL ? add_states(list, user->pw_dir, "/.local/state") : OK;

    for (; error == OK && *ours != NULL; ours++) {
        for (size_t i = 0; error == OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
            size_t length = strlen(rows[i].name);

            if (strncmp(*ours, rows[i].name, length) == 0)
                error = add_states(list, *ours + length, rows[i].below);
        }
    }
    return error;
}

static enum error add_of_surface(struct text_list *list, const struct surface *surface)
{
    const struct text_list *files = &surface->command.environment_files;
    enum error error = surface->tls != NULL ? add(list, surface->tls->key) : OK;

    for (size_t i = 0; error == OK && i < files->count; i++)
        error = add(list, files->items[i]);
    return error;
}

enum error hidden_list(const struct config_bundle *bundle, uint32_t uid, char *const *ours,
                       struct text_list *out)
{
    const struct config *config = bundle->config;
    char *file = bundle->path != NULL ? realpath(bundle->path, NULL) : NULL;
    enum error error = add(out, config->state_dir);

    if (error == OK)
        error = add(out, config->control_socket);
    if (error == OK)
        error = add(out, file);
    free(file);
    for (size_t i = 0; error == OK && i < config->surface_count; i++)
        error = add_of_surface(out, &config->surfaces[i]);
    for (size_t i = 0; error == OK && i < sizeof(everywhere) / sizeof(everywhere[0]); i++)
        error = add(out, everywhere[i]);
    if (error == OK)
        error = add_of_user(out, uid);
    if (error == OK)
        error = add_all_states(out, uid, ours);
    for (; error == OK && *ours != NULL; ours++)
        error = add_variable(out, *ours);
    return error;
}
