/*
 * Admission: may this request come in? The pure checks; policy/steps.h has the
 * order in which they are asked. Each returns REASON_ALLOWED or the reason of
 * the denial.
 */
#pragma once

#include "base/buffer.h"
#include "base/reason.h"
#include "config/config.h"
#include "policy/params.h"
#include "policy/request.h"

#define ADMISSION_TICKET_PREFIX         "sidelock.ticket."
#define ADMISSION_WORD_BYTES            22 /* of a ticket or a login code: base64url */
#define ADMISSION_OWN_HOST_SIZE         74 /* a label of 63, ".localhost" and the NUL */
#define ADMISSION_SUBPROTOCOL_BYTES_MAX 63
#define ADMISSION_SUBPROTOCOLS_MAX      16

/* Where the request came in: the listener's own address and port. */
struct admission_listener {
    const char *address; /* "127.0.0.1" or "::1" or what is bound */
    uint16_t port;
};

/*
 * Host (RFC 9110 section 7.2): exactly one of `hosts`; by default a loopback name or
 * the surface's own (below), with the port.
 */
enum reason admission_host(const struct surface *surface, const struct admission_listener *listener,
                           const char *host);

/* Origin (RFC 6454): absent, or exactly one of `origins`; by default http:// (https:// with TLS)
 * and one of the hosts. */
enum reason admission_origin(const struct surface *surface,
                             const struct admission_listener *listener, const char *origin);

/*
 * "studio.localhost" for a surface called Studio, in lower case: a name that
 * browsers resolve to this machine and keep cookies for apart from other names.
 * False if the surface's name is no DNS label (RFC 1123 section 2.1).
 */
bool admission_own_host(const struct surface *surface, char out[ADMISSION_OWN_HOST_SIZE]);

/*
 * Whether a request that shows a cookie comes from the surface's own pages.
 * Browsers attach cookies to what any page asks for, and a page on another port
 * of the same host is "same-site" to them. So: an Origin must name the very host
 * of the request; Sec-Fetch-Site must be same-origin, or none (an address that was typed)
 * where nothing is changed. Browsers send neither with a GET over plain HTTP, but to names of
 * this machine: then Referer, which no page can make up, must name the very host, and only GET
 * and HEAD without an upgrade pass. COOKIE_ORIGIN.
 */
enum reason admission_cookie_origin(const struct surface *surface,
                                    const struct admission_listener *listener,
                                    const struct request *request);
/* The same for a request that nothing but its origin proves: the Origin must be there. */
enum reason admission_own_origin(const struct surface *surface,
                                 const struct admission_listener *listener,
                                 const struct request *request);

/* Whether the surface's `callers` name this user; or one of his groups: *gid is the first. */
bool admission_caller_named(const struct surface *surface, uint32_t uid);
bool admission_caller_group(const struct surface *surface, const uint32_t *gids, size_t count,
                            uint32_t *gid);
/*
 * The calling user, the client's address and its certificate against the surface's `callers`.
 * CALLER_GROUPS: all hangs on the user's groups, and these are not known. PROGRAM_UNKNOWN: on the
 * program.
 */
enum reason admission_caller(const struct surface *surface, const struct request *request);

enum credential_kind {
    CREDENTIAL_NONE = 0,
    CREDENTIAL_BEARER,
    CREDENTIAL_TICKET,
    CREDENTIAL_COOKIE,
    CREDENTIAL_LOGIN_CODE /* of a login on the gate's own page */
};

struct credential {
    enum credential_kind kind;
    struct span bytes; /* the token, ticket or cookie's values; points into the request */
};

/*
 * The one credential of a request: Authorization: Bearer (RFC 6750 section
 * 2.1) or, of an upgrade, a ticket offered as a subprotocol; with neither, the login cookie.
 * None: CREDENTIAL_MISSING; two: CREDENTIAL_AMBIGUOUS.
 */
enum reason admission_credential(const struct request *request, struct credential *out);

/*
 * The first route whose path matches. A path may have two: an upgrade
 * is for the WebSocket, everything else for the other; where there is only one,
 * that is it. No route after a closed one that matches is looked at. A slash at the end more or
 * less is all the same to a route of kind mcp-http.
 *
 * Services do not read all paths alike: to some an encoded slash is part of a segment, to some a
 * slash; some decode twice, end segments at ';' or the path at an encoded '?' or '#', or make one
 * slash of several. Where that may be, whoever reads it must come to this very route, which
 * must be of kind http, and with an encoded '?' say nothing of queries; so what is sent past a
 * closed route, or into one that is vetted, is sent in one spelling only.
 *
 * The path is as url_path_decode() makes it. ROUTE_UNKNOWN, PATH_READINGS; *out is NULL then.
 */
enum reason admission_route(const struct surface *surface, const char *path, bool upgrade,
                            const struct route **out);
/* Whether a path has the form of a route's (struct route). */
bool admission_path_matches(const char *pattern, const char *path);

/* The method and upgrade that a route needs. HEAD counts as GET where an HTTP route names GET. */
enum reason admission_method(const struct route *route, const struct request *request);
/* Appends the methods that a route takes: the value of Allow (RFC 9110 section 10.2.1). */
void admission_methods(const struct route *route, struct buffer *out);

/*
 * The subprotocols to offer the service: those the client offered that the
 * route speaks, in the client's order, comma-separated in *offer (empty: none).
 */
enum reason admission_subprotocols(const struct route *route, const struct request *request,
                                   struct buffer *offer);

/*
 * Appends the query for the service (without '?'): `pass` parameters whose
 * values match, then `inject` values from the record (NULL: the session has
 * none). Nothing else the client sent survives. QUERY_INVALID, PARAMS_REQUIRED.
 */
enum reason admission_query(const struct route *route, const char *client_query,
                            const struct params *params, struct buffer *out);
/* The name of the parameter for which that is QUERY_INVALID; NULL: none of the client's. */
const char *admission_query_refused(const struct route *route, const char *client_query);

/*
 * The value of the query parameter that the route turns into Authorization:
 * Bearer (RFC 6750 section 2.1), if the client sent one that may be a token.
 * What a page sends that has none ("", "null", "undefined") is none.
 */
#define ADMISSION_BEARER_SIZE 4096
bool admission_query_bearer(const struct route *route, const char *client_query, char *out,
                            size_t capacity);
