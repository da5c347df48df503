#include "policy/explain.h"

#include "policy/own_path.h"
#include "policy/token.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUERY_OUT_BYTES_MAX (64 * 1024)
#define OFFER_BYTES_MAX     2048

static void add_step(struct explanation *out, const char *name, enum reason reason,
                     const char *format, ...) PRINTF_LIKE(4, 5);

static void add_step(struct explanation *out, const char *name, enum reason reason,
                     const char *format, ...)
{
    struct explain_step *step = &out->steps[out->count++];
    va_list arguments;

    step->name = name;
    step->reason = reason;
    va_start(arguments, format);
    vsnprintf(step->rule, sizeof(step->rule), format, arguments);
    va_end(arguments);
    if (!reason_allows(reason) && reason_allows(out->verdict))
        out->verdict = reason;
}

/* A step nothing can be said of: neither allows nor denies. */
static void add_unknown(struct explanation *out, const char *name, const char *why)
{
    add_step(out, name, REASON_ALLOWED, "%s", why);
    out->steps[out->count - 1].unknown = true;
}

/* "a, b, c", cut short if it does not fit. */
static const char *listed(const struct text_list *list, char *room, size_t room_size)
{
    size_t used = 0;

    room[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        int added =
            snprintf(room + used, room_size - used, "%s%s", i > 0 ? ", " : "", list->items[i]);

        if (added < 0 || (size_t)added >= room_size - used)
            break;
        used += (size_t)added;
    }
    return room;
}

static void explain_host(const struct explain_request *asked,
                         const struct admission_listener *listener, struct explanation *out)
{
    const struct surface *surface = asked->surface;
    const struct request *request = asked->request;
    char room[EXPLAIN_RULE_BYTES / 2], own[ADMISSION_OWN_HOST_SIZE];
    bool named = admission_own_host(surface, own);

    if (surface->hosts.count > 0)
        add_step(out, "host", admission_host(surface, listener, request->host),
                 "Host is %s; \"hosts\" permits %s", request->host,
                 listed(&surface->hosts, room, sizeof(room)));
    else
        add_step(out, "host", admission_host(surface, listener, request->host),
                 "Host is %s; permitted are the loopback names%s%s with port %u", request->host,
                 named ? " and " : "", named ? own : "", listener->port);
}

static void explain_origin(const struct explain_request *asked,
                           const struct admission_listener *listener, struct explanation *out)
{
    const struct surface *surface = asked->surface;
    const char *origin = asked->request->origin;
    enum reason reason = admission_origin(surface, listener, origin);
    char room[EXPLAIN_RULE_BYTES / 2];

    if (origin == NULL)
        add_step(out, "origin", reason, "no Origin: not a browser's request");
    else if (surface->origins.count > 0)
        add_step(out, "origin", reason, "Origin is %.128s; \"origins\" permits %s", origin,
                 listed(&surface->origins, room, sizeof(room)));
    else
        add_step(out, "origin", reason,
                 "Origin is %.128s; permitted is http%s:// with a host of this surface", origin,
                 surface->tls != NULL ? "s" : "");
}

static void explain_caller(const struct explain_request *asked, struct explanation *out)
{
    const struct request *request = asked->request;
    enum reason reason = admission_caller(asked->surface, request);

    if (asked->surface->caller_certificates.count > 0)
        add_step(out, "caller", reason,
                 "certificate %.64s and uid %" PRIu32 " against the surface's \"callers\"",
                 request->certificate != NULL ? request->certificate : "(none)",
                 request->caller_uid);
    else if (!asked->surface->callers_named)
        add_step(out, "caller", reason, "the surface names no callers: any local user");
    else
        add_step(out, "caller", reason, "uid %" PRIu32 " against the surface's \"callers\"",
                 request->caller_uid);
}

/* Cookies count only where the request comes from the surface's own pages. */
static void explain_cookie(const struct explain_request *asked,
                           const struct admission_listener *listener, struct explanation *out)
{
    const struct request *request = asked->request;

    add_step(out, "cookie's origin", admission_cookie_origin(asked->surface, listener, request),
             "a login cookie counts for the surface's own pages; Origin is %.128s, Sec-Fetch-Site "
             "is %.32s",
             request->origin != NULL ? request->origin : "absent",
             request->fetch_site != NULL ? request->fetch_site : "absent");
}

static void explain_credential(const struct explain_request *asked,
                               const struct admission_listener *listener, struct explanation *out)
{
    static const char *const kinds[] = {[CREDENTIAL_BEARER] = "Authorization: Bearer",
                                        [CREDENTIAL_TICKET] = "a ticket",
                                        [CREDENTIAL_COOKIE] = "the login cookie"};
    char token[TOKEN_BYTES_MAX + 1];
    struct credential credential;
    enum reason reason;

    if (admission_token_in_query(asked->request->query, token, sizeof(token)))
        add_step(out, "query holds no token", REASON_TOKEN_IN_QUERY,
                 "a token may not be in a URL; its session would be revoked");
    if (asked->session.known) {
        add_step(out, "session", asked->session.reason, "%s", asked->session.rule);
        return;
    }
    reason = admission_credential(asked->request, &credential);
    if (!reason_allows(reason)) {
        add_step(out, "credential", reason,
                 "Authorization: Bearer, a %s subprotocol or the login cookie is needed",
                 ADMISSION_TICKET_PREFIX "...");
        return;
    }
    add_step(out, "credential", reason, "%s", kinds[credential.kind]);
    if (credential.kind == CREDENTIAL_COOKIE)
        explain_cookie(asked, listener, out);
    if (credential.kind == CREDENTIAL_BEARER && !token_resembles(credential.bytes))
        add_step(out, "session", REASON_TOKEN_MALFORMED,
                 "the token does not look like one of ours");
    else
        add_unknown(out, "session",
                    "whether it is good is known to the running gate alone; give "
                    "--session ID to ask it");
}

static void explain_query(const struct explain_request *asked, const struct route *route,
                          struct explanation *out)
{
    const char *client_query = asked->request->query;
    bool params_unknown = !asked->session.known || asked->session.has_params;
    enum reason reason;
    struct buffer query;

    if (route->kind != ROUTE_WEBSOCKET && !route->query_set) {
        add_step(out, "query", REASON_ALLOWED, "the client's query passes as it is");
        return;
    }
    buffer_init(&query, QUERY_OUT_BYTES_MAX);
    reason = admission_query(route, client_query, NULL, &query);
    /* What is injected comes from a record that is not shown here. */
    if (reason == REASON_PARAMS_REQUIRED && params_unknown)
        reason = REASON_ALLOWED;
    if (reason == REASON_PARAMS_REQUIRED)
        add_step(out, "query", reason,
                 "the route injects from the session's parameter record, "
                 "and this session has none");
    else if (!reason_allows(reason))
        add_step(out, "query", reason, "a value does not match its pattern in \"pass\"");
    else
        add_step(out, "query", reason, "of the client's query %s passes%s%s%s",
                 query.length > 0 ? query.data : "nothing",
                 route->inject_count > 0 ? "; the route injects from the session's record" : "",
                 route->query_bearer != NULL ? "; as Authorization: Bearer goes on " : "",
                 route->query_bearer != NULL ? route->query_bearer : "");
    buffer_clear(&query);
}

static void explain_method(const struct explain_request *asked, const struct route *route,
                           struct explanation *out)
{
    const struct request *request = asked->request;
    const char *upgrade = request->upgrade ? " with an upgrade" : " without an upgrade";
    enum reason reason = admission_method(route, request);
    struct buffer methods;

    if (route->kind == ROUTE_WEBSOCKET) {
        add_step(out, "method", reason, "%.32s%s; the route is a WebSocket: GET with an upgrade",
                 request->method, upgrade);
        return;
    }
    buffer_init(&methods, EXPLAIN_RULE_BYTES / 2);
    admission_methods(route, &methods);
    add_step(out, "method", reason, "%.32s%s; the route takes %s, without an upgrade",
             request->method, upgrade, methods.length > 0 ? methods.data : "no method");
    buffer_clear(&methods);
}

static void explain_subprotocol(const struct explain_request *asked, const struct route *route,
                                struct explanation *out)
{
    char room[EXPLAIN_RULE_BYTES / 2];
    struct buffer offer;
    enum reason reason;

    buffer_init(&offer, OFFER_BYTES_MAX);
    reason = admission_subprotocols(route, asked->request, &offer);
    if (route->subprotocols.count == 0)
        add_step(out, "subprotocol", reason, "the route speaks none");
    else
        add_step(out, "subprotocol", reason, "the route speaks %s%s",
                 listed(&route->subprotocols, room, sizeof(room)),
                 route->subprotocol_required ? ", and needs one" : "");
    buffer_clear(&offer);
}

/* What becomes of the bodies of HTTP; whether they pass is known once they come. */
static void explain_body(const struct explain_request *asked, const struct route *route,
                         struct explanation *out)
{
    bool no_record = asked->session.known && !asked->session.has_params;

    if (route->kind == ROUTE_MCP_HTTP)
        add_step(out, "body", REASON_ALLOWED,
                 "messages, in POST bodies and in answers, are vetted before they pass");
    else if (route->body != NULL)
        add_step(
            out, "body", no_record ? REASON_PARAMS_REQUIRED : REASON_ALLOWED,
            "its member %.64s is compared with %.128s of the session's record%s, which is sent "
            "instead%s",
            route->body->member, route->body->from[0] != '\0' ? route->body->from : "all",
            no_record ? " (this session has none)" : "",
            route->answer != NULL ? "; URLs in the answer are rewritten" : "");
    else
        add_step(out, "body", REASON_ALLOWED, "bodies pass as they are, unvetted%s",
                 route->answer != NULL ? "; URLs in the answer are rewritten" : "");
}

static void explain_route(const struct explain_request *asked, struct explanation *out)
{
    static const char *const kinds[] = {[ROUTE_WEBSOCKET] = "a WebSocket",
                                        [ROUTE_HTTP] = "plain HTTP",
                                        [ROUTE_MCP_HTTP] = "MCP over HTTP",
                                        [ROUTE_CLOSED] = "closed"};
    const struct request *request = asked->request;
    const struct route *route =
        request->path != NULL ? admission_route(asked->surface, request->path, request->upgrade)
                              : NULL;

    if (route == NULL) {
        add_step(out, "route", REASON_ROUTE_UNKNOWN, "no open route of the surface has this path");
        return;
    }
    add_step(out, "route", REASON_ALLOWED, "%.256s, %s", route->path, kinds[route->kind]);
    explain_method(asked, route, out);
    if (route->kind == ROUTE_WEBSOCKET || request->subprotocols != NULL)
        explain_subprotocol(asked, route, out);
    explain_query(asked, route, out);
    if (route->kind != ROUTE_WEBSOCKET)
        explain_body(asked, route, out);
}

/* The gate's own paths: pages are anybody's, a login needs its origin, the rest a session. */
static void explain_own_path(const struct explain_request *asked,
                             const struct admission_listener *listener, struct explanation *out)
{
    enum own_action action = OWN_REFUSE;

    add_step(out, "own path", own_path_action(asked->request, &action),
             "the gate itself answers what is below " OWN_PATH_PREFIX);
    if (action == OWN_LOGIN)
        add_step(out, "own origin", admission_own_origin(asked->surface, listener, asked->request),
                 "a login comes from the surface's own page");
    else if (action == OWN_TICKET || action == OWN_LOGOUT)
        explain_credential(asked, listener, out);
}

/* Where a request to the surface comes in, as its first address says. */
static struct admission_listener first_listener(const struct surface *surface)
{
    const struct listen_address *first = &surface->listen[0];
    bool localhost = strcmp(first->host, "localhost") == 0;

    return (struct admission_listener){localhost ? "127.0.0.1" : first->host, first->port};
}

bool explain_upgrades(const struct surface *surface, const char *raw_path)
{
    char path[REQUEST_PATH_BYTES_MAX];
    const struct route *route;

    if (url_path_decode(span_of(raw_path), path, sizeof(path)) != OK)
        return true;
    route = admission_route(surface, path, true);
    return !own_path_is(path) && (route == NULL || route->kind == ROUTE_WEBSOCKET);
}

void explain_run(const struct explain_request *asked, struct explanation *out)
{
    struct admission_listener listener = first_listener(asked->surface);

    *out = (struct explanation){.verdict = REASON_ALLOWED};
    if (url_path_decode(span_of(asked->raw_path), out->path, sizeof(out->path)) == OK) {
        asked->request->path = out->path;
        add_step(out, "path", REASON_ALLOWED, "%.400s is in canonical form", out->path);
    } else {
        out->path[0] = '\0';
        asked->request->path = NULL;
        add_step(out, "path", REASON_PATH_INVALID,
                 "the path has empty or dot segments, or encodings that could be read in two ways");
    }
    explain_host(asked, &listener, out);
    explain_origin(asked, &listener, out);
    explain_caller(asked, out);
    if (asked->request->path != NULL && own_path_is(asked->request->path)) {
        explain_own_path(asked, &listener, out);
        return;
    }
    explain_credential(asked, &listener, out);
    explain_route(asked, out);
}
