#include "policy/admission.h"

#include "wire/http_head.h"

#include <string.h>

static bool has(const uint32_t *numbers, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

bool admission_caller_named(const struct surface *surface, uint32_t uid)
{
    return has(surface->caller_uids, surface->caller_uid_count, uid);
}

bool admission_caller_group(const struct surface *surface, const uint32_t *gids, size_t count,
                            uint32_t *gid)
{
    for (size_t i = 0; i < surface->caller_gid_count; i++) {
        if (has(gids, count, surface->caller_gids[i])) {
            *gid = surface->caller_gids[i];
            return true;
        }
    }
    return false;
}

static enum reason check_user(const struct surface *surface, const struct request *request)
{
    uint32_t gid;

    if (!request->caller_known)
        return REASON_CALLER_UNKNOWN;
    if (admission_caller_named(surface, request->caller_uid))
        return REASON_ALLOWED;
    if (surface->caller_gid_count > 0 && request->caller_gids == NULL)
        return REASON_CALLER_GROUPS;
    return admission_caller_group(surface, request->caller_gids, request->caller_gid_count, &gid)
               ? REASON_ALLOWED
               : REASON_CALLER_MISMATCH;
}

static bool is_of_network(const struct surface *surface, const uint8_t *peer)
{
    for (size_t i = 0; peer != NULL && i < surface->caller_network_count; i++) {
        if (config_network_has(&surface->caller_networks[i], peer))
            return true;
    }
    return surface->caller_network_count == 0;
}

/* Each kind of rule that is set must be met; users and groups are one kind. */
enum reason admission_caller(const struct surface *surface, const struct request *request)
{
    enum reason reason;

    if (!is_of_network(surface, request->peer))
        return REASON_CALLER_NETWORK;
    if (surface->caller_certificates.count > 0 &&
        !text_list_contains(&surface->caller_certificates, span_of(request->certificate)))
        return REASON_CERTIFICATE_REFUSED;
    if (!surface->callers_named)
        return REASON_ALLOWED;
    reason = check_user(surface, request);
    if (!reason_allows(reason) || surface->caller_executables.count == 0)
        return reason;
    if (request->caller_program == NULL)
        return REASON_PROGRAM_UNKNOWN;
    return text_list_contains(&surface->caller_executables, span_of(request->caller_program))
               ? REASON_ALLOWED
               : REASON_PROGRAM_REFUSED;
}

static bool is_ticket(struct span subprotocol)
{
    size_t prefix = sizeof(ADMISSION_TICKET_PREFIX) - 1;

    return subprotocol.length >= prefix &&
           memcmp(subprotocol.data, ADMISSION_TICKET_PREFIX, prefix) == 0;
}

static enum reason add_credential(struct credential *credential, enum credential_kind kind,
                                  struct span bytes)
{
    if (credential->kind != CREDENTIAL_NONE)
        return REASON_CREDENTIAL_AMBIGUOUS;
    *credential = (struct credential){kind, bytes};
    return REASON_ALLOWED;
}

static enum reason find_tickets(const char *subprotocols, struct credential *found)
{
    struct span list = span_of(subprotocols), element;

    while (http_list_next(&list, &element)) {
        size_t prefix = sizeof(ADMISSION_TICKET_PREFIX) - 1;
        enum reason reason;

        if (!is_ticket(element))
            continue;
        element.data += prefix;
        element.length -= prefix;
        reason = add_credential(found, CREDENTIAL_TICKET, element);
        if (!reason_allows(reason))
            return reason;
    }
    return REASON_ALLOWED;
}

enum reason admission_credential(const struct request *request, struct credential *out)
{
    static const char scheme[] = "Bearer ";
    struct credential found = {CREDENTIAL_NONE, {NULL, 0}};
    enum reason reason =
        request->upgrade ? find_tickets(request->subprotocols, &found) : REASON_ALLOWED;

    if (!reason_allows(reason))
        return reason;
    if (request->authorization != NULL) {
        struct span value = span_of(request->authorization);

        if (value.length < sizeof(scheme) ||
            !span_equals_nocase((struct span){value.data, sizeof(scheme) - 1}, scheme))
            return REASON_TOKEN_MALFORMED;
        value.data += sizeof(scheme) - 1;
        value.length -= sizeof(scheme) - 1;
        reason = add_credential(&found, CREDENTIAL_BEARER, value);
        if (!reason_allows(reason))
            return reason;
    }
    /* A browser adds its cookie whether it is wanted or not: it is no second credential. */
    if (found.kind == CREDENTIAL_NONE && request->cookie != NULL)
        found = (struct credential){CREDENTIAL_COOKIE, span_of(request->cookie)};
    if (found.kind == CREDENTIAL_NONE)
        return REASON_CREDENTIAL_MISSING;
    *out = found;
    return REASON_ALLOWED;
}

static const char *const mcp_methods[] = {"POST", "GET", "DELETE"};
#define MCP_METHODS (sizeof(mcp_methods) / sizeof(mcp_methods[0]))

static enum reason http_method(const struct route *route, const struct request *request)
{
    struct span method = span_of(request->method);

    if (request->upgrade)
        return REASON_UPGRADE_ROUTE;
    for (size_t i = 0; route->kind == ROUTE_MCP_HTTP && i < MCP_METHODS; i++) {
        if (span_equals(method, mcp_methods[i]))
            return REASON_ALLOWED;
    }
    if (text_list_contains(&route->methods, method) ||
        (span_equals(method, "HEAD") && text_list_contains(&route->methods, span_of("GET"))))
        return REASON_ALLOWED;
    return REASON_METHOD_REFUSED;
}

enum reason admission_method(const struct route *route, const struct request *request)
{
    if (route->kind != ROUTE_WEBSOCKET)
        return http_method(route, request);
    if (strcmp(request->method, "GET") != 0)
        return REASON_METHOD_REFUSED;
    return request->upgrade ? REASON_ALLOWED : REASON_UPGRADE_REQUIRED;
}

static void allow(struct buffer *out, const char *method)
{
    buffer_append_format(out, "%s%s", out->length > 0 ? ", " : "", method);
}

void admission_methods(const struct route *route, struct buffer *out)
{
    bool get = text_list_contains(&route->methods, span_of("GET"));

    if (route->kind == ROUTE_WEBSOCKET)
        allow(out, "GET");
    for (size_t i = 0; route->kind == ROUTE_MCP_HTTP && i < MCP_METHODS; i++)
        allow(out, mcp_methods[i]);
    for (size_t i = 0; route->kind == ROUTE_HTTP && i < route->methods.count; i++)
        allow(out, route->methods.items[i]);
    if (route->kind == ROUTE_HTTP && get && !text_list_contains(&route->methods, span_of("HEAD")))
        allow(out, "HEAD");
}

static bool is_offered(const struct buffer *offer, struct span subprotocol)
{
    struct span list = {offer->data, offer->length}, element;

    while (http_list_next(&list, &element)) {
        if (span_same(element, subprotocol))
            return true;
    }
    return false;
}

enum reason admission_subprotocols(const struct route *route, const struct request *request,
                                   struct buffer *offer)
{
    struct span list = span_of(request->subprotocols), element;
    size_t offered = 0, others = 0;

    while (http_list_next(&list, &element)) {
        if (++offered > ADMISSION_SUBPROTOCOLS_MAX ||
            element.length > ADMISSION_SUBPROTOCOL_BYTES_MAX || !http_is_token(element))
            return REASON_SUBPROTOCOLS_INVALID;
        if (is_ticket(element))
            continue;
        if (!route->any_subprotocol && !text_list_contains(&route->subprotocols, element)) {
            others++;
            continue;
        }
        if (is_offered(offer, element))
            return REASON_SUBPROTOCOL_TWICE; /* RFC 6455 section 4.1: each once */
        if (offer->length > 0)
            buffer_append_text(offer, ", ");
        buffer_append(offer, element.data, element.length);
    }
    if (buffer_failed(offer))
        return REASON_SUBPROTOCOLS_INVALID;
    if (offer->length == 0 && (others > 0 || route->subprotocol_required))
        return REASON_SUBPROTOCOL_MISMATCH;
    return REASON_ALLOWED;
}
