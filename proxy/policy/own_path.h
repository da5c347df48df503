/*
 * The gate's own paths, the same on every surface and never the service's:
 *
 *   GET  /.sidelock/login    a page that redeems the code in its address
 *   POST /.sidelock/login    body: the code; answered with the login cookie
 *   POST /.sidelock/ticket   a ticket, for page code that opens WebSockets
 *   GET  /.sidelock/logout   a page with a button
 *   POST /.sidelock/logout   revokes the session
 */
#pragma once

#include "policy/request.h"

#include "base/reason.h"

#define OWN_PATH_PREFIX         "/.sidelock/"
#define OWN_PATH_LOGIN          OWN_PATH_PREFIX "login"
#define OWN_PATH_BODY_BYTES_MAX 1024

enum own_action {
    OWN_REFUSE = 0,
    OWN_LOGIN_PAGE,
    OWN_LOGIN,
    OWN_TICKET,
    OWN_LOGOUT_PAGE,
    OWN_LOGOUT,
};

/* Whether a path is the gate's; it need not be one that it answers. */
bool own_path_is(const char *path);
/* What is asked for. ROUTE_UNKNOWN, METHOD_REFUSED, UPGRADE_INVALID. */
enum reason own_path_action(const struct request *request, enum own_action *out);
/* Whether only somebody with a session, or with a code for one, may ask for it. */
bool own_action_authenticated(enum own_action action);
/* The value of Allow for one of these paths; "" for others. */
const char *own_path_methods(const char *path);
