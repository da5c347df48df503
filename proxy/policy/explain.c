#include "policy/explain.h"

#include "policy/token.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RULE_BYTES_MAX (64 * 1024) /* cut to what is shown */

/* What is asked of a running gate: answered from what is known of the session, or not at all. */

static enum reason ask_session(struct steps *steps)
{
    const struct explain_session *session = steps->context;

    if (session != NULL) {
        steps->record = session->has_params ? RECORD_THERE : RECORD_NONE;
        return session->reason;
    }
    if (steps->credential.kind == CREDENTIAL_BEARER && !token_resembles(steps->credential.bytes))
        return REASON_TOKEN_MALFORMED;
    steps->unknown = true;
    return REASON_ALLOWED;
}

static enum reason ask_executables(struct steps *steps)
{
    steps->unknown = steps->record != RECORD_NONE;
    return REASON_ALLOWED;
}

/* What looks like one is told, for whose it is needs the keys; a word may be anybody's. */
static bool ask_stray(void *context, const struct credential *found)
{
    struct steps *steps = context;

    if (found->kind == CREDENTIAL_LOGIN_CODE)
        steps->unknown = true;
    return found->kind != CREDENTIAL_LOGIN_CODE;
}

/* Nothing is revoked by asking. */
static const struct steps_asks asks = {ask_stray, ask_session, ask_executables};

/* The rules behind the steps, in the words of this request and surface. */

static void append_list(struct buffer *out, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buffer_append_format(out, "%s%s", i > 0 ? ", " : "", list->items[i]);
}

static void rule_path(const struct steps *steps, struct buffer *out)
{
    if (steps->request->path != NULL)
        buffer_append_format(out, "%.400s is in canonical form", steps->request->path);
    else
        buffer_append_text(out, reason_info(steps->reason)->text);
}

static void rule_stray(const struct steps *steps, struct buffer *out)
{
    if (steps->unknown)
        buffer_append_text(out,
                           "whether a ticket or a login code stands in the URL is known to the "
                           "running gate alone");
    else if (!reason_allows(steps->reason))
        buffer_append_text(out,
                           "what looks like a credential of the gate stands in the URL or in a "
                           "header that passes; if it is one, its session ends");
    else
        buffer_append_text(out,
                           "nothing in the URL or a header that passes looks like a credential of "
                           "the gate");
}

static void rule_kill_switch(const struct steps *steps, struct buffer *out)
{
    buffer_append_format(out, "`sidelock status` says whether %s is killed", steps->surface->name);
}

static void rule_host(const struct steps *steps, struct buffer *out)
{
    char own[ADMISSION_OWN_HOST_SIZE];
    bool named = admission_own_host(steps->surface, own);

    buffer_append_format(out, "Host is %.255s; ", steps->request->host);
    if (steps->surface->hosts.count > 0) {
        buffer_append_text(out, "\"hosts\" permits ");
        append_list(out, &steps->surface->hosts);
        return;
    }
    buffer_append_format(out, "permitted are the loopback names%s%s with port %u",
                         named ? " and " : "", named ? own : "", steps->listener.port);
}

static void rule_origin(const struct steps *steps, struct buffer *out)
{
    const char *origin = steps->request->origin;

    if (origin == NULL) {
        buffer_append_text(out, "no Origin: not a browser's request");
        return;
    }
    buffer_append_format(out, "Origin is %.128s; ", origin);
    if (steps->surface->origins.count > 0) {
        buffer_append_text(out, "\"origins\" permits ");
        append_list(out, &steps->surface->origins);
        return;
    }
    buffer_append_format(out, "permitted is http%s:// with a host of this surface",
                         steps->surface->tls != NULL ? "s" : "");
}

/* Which rule says so: "uids" first, and groups are looked at only if that does not permit. */
static void rule_caller_user(const struct surface *surface, const struct request *request,
                             struct buffer *out)
{
    uint32_t gid = 0;

    buffer_append_format(out, "uid %" PRIu32 " ", request->caller_uid);
    if (admission_caller_named(surface, request->caller_uid))
        buffer_append_text(out, "is among the surface's \"callers\": \"uids\" permits it");
    else if (surface->caller_gid_count == 0)
        buffer_append_text(out, "is not among the surface's \"callers\": \"uids\"");
    else if (request->caller_gids == NULL)
        buffer_append_text(out, "has groups that cannot be looked up here, and \"gids\" decides");
    else if (admission_caller_group(surface, request->caller_gids, request->caller_gid_count, &gid))
        buffer_append_format(out, "is in group %" PRIu32 ": \"gids\" permits it", gid);
    else
        buffer_append_format(out, "is not in \"uids\", and none of its %zu groups is in \"gids\"",
                             request->caller_gid_count);
}

static void rule_caller_network(const struct steps *steps, struct buffer *out)
{
    if (steps->surface->caller_network_count == 0)
        return;
    if (steps->request->peer == NULL)
        buffer_append_text(out, "the client's address is not known (--peer ADDRESS says which it "
                                "is), and \"networks\" decides; ");
    else
        buffer_append_format(out, "the client's address is %sin \"networks\"; ",
                             reason_same(steps->reason, REASON_CALLER_NETWORK) ? "not " : "");
}

static void rule_caller(const struct steps *steps, struct buffer *out)
{
    const struct request *request = steps->request;

    rule_caller_network(steps, out);
    if (steps->surface->caller_certificates.count > 0)
        buffer_append_format(out, "certificate %.64s and ",
                             request->certificate != NULL ? request->certificate : "(none)");
    else if (!steps->surface->callers_named) {
        buffer_append_text(out, "the surface names no callers: any local user");
        return;
    }
    if (!steps->surface->callers_named) {
        buffer_append_text(out, "any local user");
        return;
    }
    rule_caller_user(steps->surface, request, out);
    if (steps->unknown)
        buffer_append_text(out, "; the running gate looks whether the program is in "
                                "\"executables\" (--executable PATH says which it is)");
    else if (request->caller_program != NULL && steps->surface->caller_executables.count > 0)
        buffer_append_format(out, "; %.200s is %sin \"executables\"", request->caller_program,
                             steps->reason == REASON_PROGRAM_REFUSED ? "not " : "");
}

static void rule_credential(const struct steps *steps, struct buffer *out)
{
    static const char *const kinds[] = {
        [CREDENTIAL_NONE] = ("Authorization: Bearer, a " ADMISSION_TICKET_PREFIX
                             "... subprotocol or the login cookie is needed, and only one"),
        [CREDENTIAL_BEARER] = "Authorization: Bearer",
        [CREDENTIAL_TICKET] = "a ticket",
        [CREDENTIAL_COOKIE] = "the login cookie",
        [CREDENTIAL_LOGIN_CODE] = "the code of a login, as the body"};

    buffer_append_text(out, kinds[steps->credential.kind]);
}

static void rule_cookie_origin(const struct steps *steps, struct buffer *out)
{
    const struct request *request = steps->request;

    buffer_append_format(
        out,
        "a login cookie counts for the surface's own pages; Origin is %.128s, Sec-Fetch-Site is "
        "%.32s, Referer, which counts without these, is %.128s",
        request->origin != NULL ? request->origin : "absent",
        request->fetch_site != NULL ? request->fetch_site : "absent",
        request->referer != NULL ? request->referer : "absent");
}

static void rule_session(const struct steps *steps, struct buffer *out)
{
    const struct explain_session *session = steps->context;

    if (session != NULL)
        buffer_append_text(out, session->rule);
    else if (steps->unknown)
        buffer_append_text(out, "whether it is good is known to the running gate alone; give "
                                "--session ID to ask it");
    else
        buffer_append_text(out, "the token does not look like one of ours");
}

static void rule_route(const struct steps *steps, struct buffer *out)
{
    static const char *const kinds[] = {[ROUTE_WEBSOCKET] = "a WebSocket",
                                        [ROUTE_HTTP] = "plain HTTP",
                                        [ROUTE_MCP_HTTP] = "MCP over HTTP",
                                        [ROUTE_CLOSED] = "closed"};

    if (steps->route == NULL && steps->reason != REASON_ROUTE_UNKNOWN)
        buffer_append_text(out, reason_info(steps->reason)->text);
    else if (steps->route == NULL)
        buffer_append_text(out, "no open route of the surface has this path");
    else
        buffer_append_format(out, "%.256s, %s", steps->route->path, kinds[steps->route->kind]);
}

static void rule_method(const struct steps *steps, struct buffer *out)
{
    const struct request *request = steps->request;
    struct buffer methods;

    buffer_append_format(out, "%.32s with%s an upgrade; the route ", request->method,
                         request->upgrade ? "" : "out");
    if (steps->route->kind == ROUTE_WEBSOCKET) {
        buffer_append_text(out, "is a WebSocket: GET with an upgrade");
        return;
    }
    buffer_init(&methods, RULE_BYTES_MAX);
    admission_methods(steps->route, &methods);
    buffer_append_format(out, "takes %s, without an upgrade",
                         methods.length > 0 ? methods.data : "no method");
    buffer_clear(&methods);
}

static void rule_subprotocol(const struct steps *steps, struct buffer *out)
{
    buffer_append_text(out, "the route speaks ");
    if (steps->route->any_subprotocol)
        buffer_append_text(out, "any");
    else if (steps->route->subprotocols.count == 0)
        buffer_append_text(out, "none");
    append_list(out, &steps->route->subprotocols);
    if (steps->route->subprotocol_required)
        buffer_append_text(out, ", and needs one");
}

static void rule_query(const struct steps *steps, struct buffer *out)
{
    const struct route *route = steps->route;

    if (route->kind != ROUTE_WEBSOCKET && !route->query_set)
        buffer_append_text(out, "the client's query passes as it is");
    else if (steps->reason == REASON_PARAMS_REQUIRED)
        buffer_append_text(out, "the route injects from the session's parameter record, and this "
                                "session has none");
    else if (!reason_allows(steps->reason))
        buffer_append_text(out, "a value does not match its pattern in \"pass\"");
    else {
        buffer_append_format(out, "of the client's query %.128s passes",
                             steps->query.length > 0 ? steps->query.data : "nothing");
        if (route->inject_count > 0)
            buffer_append_text(out, "; the route injects from the session's record");
        if (route->query_bearer != NULL)
            buffer_append_format(out, "; as Authorization: Bearer goes on %s", route->query_bearer);
    }
}

/* What becomes of bodies; whether they pass is known once they come. */
static void rule_body(const struct steps *steps, struct buffer *out)
{
    const struct route *route = steps->route;
    const char *without = steps->record == RECORD_NONE ? " (this session has none)" : "";

    if (route->prepare != NULL)
        buffer_append_format(out, "the session's record%s is posted to %.128s before the upgrade",
                             without, route->prepare->path);
    else if (route->kind == ROUTE_MCP_HTTP)
        buffer_append_text(out, "messages, in POST bodies and in answers, are vetted before they "
                                "pass");
    else if (route->body != NULL)
        buffer_append_format(out,
                             "its member %.64s is compared with %.128s of the session's record%s, "
                             "which is sent instead",
                             route->body->member,
                             route->body->from[0] != '\0' ? route->body->from : "all", without);
    else
        buffer_append_text(out, "bodies pass as they are, unvetted");
    if (surface_runs_records(steps->surface))
        buffer_append_format(out, "; what runs stands in the session's record%s", without);
    if (route->answer != NULL)
        buffer_append_text(out, "; URLs in the answer are rewritten");
}

static void rule_executables(const struct steps *steps, struct buffer *out)
{
    buffer_append_text(out, steps->record == RECORD_NONE
                                ? "the session has no record that could name one"
                                : "the running gate looks at the files that the session's record "
                                  "names");
}

/* A step that says the same of every request has none: what it demands is the rule. */
static void (*const rules[STEP_COUNT])(const struct steps *steps, struct buffer *out) = {
    [STEP_PATH] = rule_path,
    [STEP_STRAY] = rule_stray,
    [STEP_KILL_SWITCH] = rule_kill_switch,
    [STEP_HOST] = rule_host,
    [STEP_ORIGIN] = rule_origin,
    [STEP_CALLER] = rule_caller,
    [STEP_CREDENTIAL] = rule_credential,
    [STEP_COOKIE_ORIGIN] = rule_cookie_origin,
    [STEP_SESSION] = rule_session,
    [STEP_ROUTE] = rule_route,
    [STEP_METHOD] = rule_method,
    [STEP_SUBPROTOCOL] = rule_subprotocol,
    [STEP_QUERY] = rule_query,
    [STEP_BODY] = rule_body,
    [STEP_EXECUTABLES] = rule_executables,
};

/* What is shown may be shown on: no credential is in it. */
static void tell(const struct buffer *rule, char out[EXPLAIN_RULE_BYTES])
{
    struct buffer redacted;
    bool astray;

    buffer_init(&redacted, RULE_BYTES_MAX);
    astray = stray_redact((struct span){rule->data, rule->length}, &redacted);
    snprintf(out, EXPLAIN_RULE_BYTES, "%s",
             astray             ? redacted.data
             : rule->length > 0 ? rule->data
                                : "");
    buffer_clear(&redacted);
}

static void add_step(struct explanation *out, struct steps *steps, enum step_id id)
{
    struct explain_step *step = &out->steps[out->count++];
    struct buffer rule;

    step->id = id;
    step->reason = steps_check(steps, id);
    step->unknown = reason_allows(step->reason) && steps->unknown;
    if (!reason_allows(step->reason) && reason_allows(out->verdict))
        out->verdict = step->reason;
    buffer_init(&rule, RULE_BYTES_MAX);
    if (rules[id] != NULL)
        rules[id](steps, &rule);
    else
        buffer_append_text(&rule, steps_demand(id));
    tell(&rule, step->rule);
    buffer_clear(&rule);
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

    if (!reason_allows(url_path_decode(span_of(raw_path), path, sizeof(path))))
        return true;
    return !own_path_is(path) &&
           (admission_route(surface, path, true, &route) == REASON_ROUTE_UNKNOWN ||
            (route != NULL && route->kind == ROUTE_WEBSOCKET));
}

void explain_run(const struct surface *surface, const char *raw_path, struct request *request,
                 struct explain_session *session, struct explanation *out)
{
    struct steps steps = {.surface = surface,
                          .listener = first_listener(surface),
                          .request = request,
                          .asks = &asks,
                          .context = session};
    struct credential credential;

    *out = (struct explanation){.verdict = REASON_ALLOWED};
    request->raw_path = raw_path;
    request->path = out->path;
    if (!http_is_target(span_of(raw_path)) ||
        !reason_allows(url_path_decode(span_of(raw_path), out->path, sizeof(out->path)))) {
        request->path = NULL;
        out->path[0] = '\0';
    }
    if (session != NULL && admission_credential(request, &credential) == REASON_CREDENTIAL_MISSING)
        request->authorization = "Bearer (that of the session)";
    steps_init(&steps);
    for (enum step_id id = 0; id < STEP_COUNT; id++) {
        if (steps_apply(&steps, id))
            add_step(out, &steps, id);
    }
    steps_clear(&steps);
}
