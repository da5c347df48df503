#include "policy/steps.h"

#include "wire/url.h"

static enum reason check_path(struct steps *steps)
{
    const struct request *request = steps->request;
    char path[REQUEST_PATH_BYTES_MAX];
    enum reason reason;

    steps->own = request->path != NULL && own_path_is(request->path);
    if (request->path != NULL)
        return REASON_ALLOWED;
    reason = url_path_decode(span_of(request->raw_path), path, sizeof(path));
    return reason_allows(reason) ? REASON_PATH_INVALID : reason;
}

/* All of a request is looked at: several sessions may have to end. */
static enum reason check_stray(struct steps *steps)
{
    const struct request *request = steps->request;
    struct stray stray = {.judge = steps->asks->stray, .context = steps};
    bool path = stray_in(&stray, span_of(request->path), steps->own);
    bool query = stray_in(&stray, span_of(request->query), steps->own);

    if (stray_in(&stray, span_of(request->strays), false))
        return REASON_TOKEN_IN_HEADER;
    if (path)
        return REASON_TOKEN_IN_PATH;
    return query ? REASON_TOKEN_IN_QUERY : REASON_ALLOWED;
}

static enum reason check_kill_switch(struct steps *steps)
{
    steps->unknown = steps->kill_switch == SWITCH_UNKNOWN;
    if (steps->kill_switch == SWITCH_CHANGED)
        return REASON_SURFACE_CHANGED;
    if (steps->kill_switch == SWITCH_REHEARSED)
        return REASON_KILL_REHEARSED;
    return steps->kill_switch == SWITCH_ON ? REASON_SURFACE_KILLED : REASON_ALLOWED;
}

static enum reason check_host(struct steps *steps)
{
    return admission_host(steps->surface, &steps->listener, steps->request->host);
}

static enum reason check_origin(struct steps *steps)
{
    return admission_origin(steps->surface, &steps->listener, steps->request->origin);
}

static enum reason check_caller(struct steps *steps)
{
    enum reason reason = admission_caller(steps->surface, steps->request);

    if (steps->request->caller_program_looked)
        return reason;
    steps->unknown =
        reason == REASON_PROGRAM_UNKNOWN || (reason_allows(reason) && steps->notes_program);
    return steps->unknown ? REASON_ALLOWED : reason;
}

static enum reason check_own_path(struct steps *steps)
{
    return own_path_action(steps->request, &steps->action);
}

static enum reason check_own_origin(struct steps *steps)
{
    return admission_own_origin(steps->surface, &steps->listener, steps->request);
}

static enum reason check_credential(struct steps *steps)
{
    const struct request *request = steps->request;

    if (steps->action != OWN_LOGIN)
        return admission_credential(request, &steps->credential);
    steps->credential = (struct credential){CREDENTIAL_LOGIN_CODE, span_of(request->login_code)};
    return REASON_ALLOWED;
}

static enum reason check_cookie_origin(struct steps *steps)
{
    return admission_cookie_origin(steps->surface, &steps->listener, steps->request);
}

static enum reason check_session(struct steps *steps)
{
    return steps->asks->session(steps);
}

static enum reason check_route(struct steps *steps)
{
    const struct request *request = steps->request;

    return request->path != NULL
               ? admission_route(steps->surface, request->path, request->upgrade, &steps->route)
               : REASON_ROUTE_UNKNOWN;
}

static enum reason check_method(struct steps *steps)
{
    return admission_method(steps->route, steps->request);
}

static enum reason check_subprotocol(struct steps *steps)
{
    return admission_subprotocols(steps->route, steps->request, &steps->offer);
}

/* What a step needs of the record is not known as long as nobody has seen the record. */
static enum reason without_record(struct steps *steps, bool seen)
{
    if (steps->record == RECORD_UNKNOWN || (steps->record == RECORD_THERE && !seen)) {
        steps->unknown = true;
        return REASON_ALLOWED;
    }
    return steps->record == RECORD_THERE ? REASON_ALLOWED : REASON_PARAMS_REQUIRED;
}

/* The query of plain HTTP passes as it is where the route does not say what may. */
static enum reason check_query(struct steps *steps)
{
    const struct route *route = steps->route;
    enum reason reason;

    if (route->kind != ROUTE_WEBSOCKET && !route->query_set)
        return REASON_ALLOWED;
    reason = admission_query(route, steps->request->query, steps->params, &steps->query);
    return reason == REASON_PARAMS_REQUIRED && steps->params == NULL ? without_record(steps, false)
                                                                     : reason;
}

static enum reason check_body(struct steps *steps)
{
    bool stored = steps->route->prepare != NULL || steps->route->body != NULL ||
                  surface_runs_records(steps->surface);

    return stored ? without_record(steps, true) : REASON_ALLOWED;
}

static enum reason check_executables(struct steps *steps)
{
    return steps->asks->executables(steps);
}

/* Which requests a step is about. */
enum scope { EVERY, OWN_PATHS, LOGINS, AUTHENTICATED, COOKIES, NAMED, SERVICE, ROUTED, BODIES };

static const struct {
    const char *name, *demand;
    enum reason (*check)(struct steps *steps);
    enum scope scope;
} table[STEP_COUNT] = {
    [STEP_PATH] = {"path", "it can be read", check_path, EVERY},
    [STEP_STRAY] = {"nothing astray",
                    "no credential of ours in the URL or a header that passes; it ends its session",
                    check_stray, EVERY},
    [STEP_KILL_SWITCH] = {"kill switch", "it is off", check_kill_switch, EVERY},
    [STEP_HOST] = {"host", "Host is a name of the surface", check_host, EVERY},
    [STEP_ORIGIN] = {"origin", "Origin is absent or a page of the surface", check_origin, EVERY},
    [STEP_CALLER] =
        {"caller", "user, or a group of his, address, certificate and program are among `callers`",
         check_caller, EVERY},
    [STEP_OWN_PATH] = {"own path", "below `/.sidelock/`: there is such a page, for this method",
                       check_own_path, OWN_PATHS},
    [STEP_OWN_ORIGIN] = {"own origin", "a login comes from the surface's own page",
                         check_own_origin, LOGINS},
    [STEP_CREDENTIAL] = {"credential", "a token, a ticket or the login cookie, and only one",
                         check_credential, AUTHENTICATED},
    [STEP_COOKIE_ORIGIN] = {"cookie's origin", "a login cookie is shown by the surface's own page",
                            check_cookie_origin, COOKIES},
    [STEP_SESSION] = {"session", "it is live, for this surface and caller, its record unchanged",
                      check_session, NAMED},
    [STEP_ROUTE] = {"route", "the surface has an open one for this path, whoever reads it",
                    check_route, SERVICE},
    [STEP_METHOD] = {"method", "the route takes it, and an upgrade or none", check_method, ROUTED},
    [STEP_SUBPROTOCOL] = {"subprotocol", "the route speaks one that is offered", check_subprotocol,
                          ROUTED},
    [STEP_QUERY] = {"query", "what passes matches its pattern; what is injected is there",
                    check_query, ROUTED},
    [STEP_BODY] = {"body",
                   "where a stored one is sent, or what is stored runs, the session has a record",
                   check_body, BODIES},
    [STEP_EXECUTABLES] = {"executables", "what the record names may still run", check_executables,
                          SERVICE},
};

bool steps_apply(const struct steps *steps, enum step_id id)
{
    switch (table[id].scope) {
    case OWN_PATHS:
        return steps->own;
    case LOGINS:
        return steps->action == OWN_LOGIN;
    case AUTHENTICATED:
        return !steps->own || own_action_authenticated(steps->action);
    case COOKIES:
        return steps->credential.kind == CREDENTIAL_COOKIE;
    case NAMED:
        return steps->credential.kind != CREDENTIAL_NONE;
    case SERVICE:
        return !steps->own;
    case ROUTED:
        return steps->route != NULL;
    case BODIES:
        return steps->route != NULL &&
               (steps->route->kind != ROUTE_WEBSOCKET || steps->route->prepare != NULL ||
                surface_runs_records(steps->surface));
    case EVERY:
        break;
    }
    return true;
}

enum reason steps_check(struct steps *steps, enum step_id id)
{
    steps->unknown = false;
    steps->reason = table[id].check(steps);
    return steps->reason;
}

enum reason steps_decide(struct steps *steps, enum step_id *id)
{
    for (enum step_id i = 0; i < STEP_COUNT; i++) {
        enum reason reason;

        if (!steps_apply(steps, i))
            continue;
        reason = steps_check(steps, i);
        if (reason_allows(reason) && steps->unknown)
            reason = REASON_INTERNAL;
        if (id != NULL)
            *id = i;
        if (!reason_allows(reason))
            return reason;
    }
    return REASON_ALLOWED;
}

void steps_init(struct steps *steps)
{
    buffer_init(&steps->offer, STEPS_OFFER_BYTES_MAX);
    buffer_init(&steps->query, STEPS_QUERY_BYTES_MAX);
}

void steps_clear(struct steps *steps)
{
    buffer_clear(&steps->offer);
    buffer_wipe(&steps->query);
}

const char *steps_name(enum step_id id)
{
    return table[id].name;
}

const char *steps_demand(enum step_id id)
{
    return table[id].demand;
}
