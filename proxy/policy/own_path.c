#include "policy/own_path.h"

#include <string.h>

static const struct own_path {
    const char *path;
    enum own_action get, post; /* OWN_REFUSE: not that method */
    const char *methods;
} own_paths[] = {
    {OWN_PATH_LOGIN, OWN_LOGIN_PAGE, OWN_LOGIN, "GET, HEAD, POST"},
    {OWN_PATH_PREFIX "ticket", OWN_REFUSE, OWN_TICKET, "POST"},
    {OWN_PATH_PREFIX "logout", OWN_LOGOUT_PAGE, OWN_LOGOUT, "GET, HEAD, POST"},
};

static const struct own_path *find(const char *path)
{
    for (size_t i = 0; i < sizeof(own_paths) / sizeof(own_paths[0]); i++) {
        if (strcmp(own_paths[i].path, path) == 0)
            return &own_paths[i];
    }
    return NULL;
}

bool own_path_is(const char *path)
{
    return strncmp(path, OWN_PATH_PREFIX, sizeof(OWN_PATH_PREFIX) - 1) == 0;
}

enum reason own_path_action(const struct request *request, enum own_action *out)
{
    const struct own_path *path = find(request->path);
    enum own_action action = OWN_REFUSE;

    if (path == NULL)
        return REASON_ROUTE_UNKNOWN;
    if (request->upgrade)
        return REASON_UPGRADE_ROUTE;
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        action = path->get;
    else if (strcmp(request->method, "POST") == 0)
        action = path->post;
    if (action == OWN_REFUSE)
        return REASON_METHOD_REFUSED;
    *out = action;
    return REASON_ALLOWED;
}

bool own_action_authenticated(enum own_action action)
{
    return action == OWN_LOGIN || action == OWN_TICKET || action == OWN_LOGOUT;
}

const char *own_path_methods(const char *path)
{
    const struct own_path *found = find(path);

    return found != NULL ? found->methods : "";
}
