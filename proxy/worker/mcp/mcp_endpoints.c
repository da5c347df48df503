#include "worker/mcp/mcp_endpoints.h"

#include "wire/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUERY_PART_BYTES_MAX MCP_SESSION_ID_BYTES_MAX /* of a name, or a value */

struct mcp_endpoint {
    struct mcp_endpoint *next;
    uint32_t surface;
    const struct route *route;
    char *path;                  /* owned; decoded */
    char *query;                 /* owned; NULL: none */
    struct mcp_session *session; /* NULL: its stream has ended */
};

static void destroy(struct mcp_endpoint *endpoint)
{
    free(endpoint->path);
    free(endpoint->query);
    free(endpoint);
}

void mcp_endpoints_clear(struct mcp_endpoints *endpoints)
{
    while (endpoints->first != NULL) {
        struct mcp_endpoint *endpoint = endpoints->first;

        endpoints->first = endpoint->next;
        destroy(endpoint);
    }
    endpoints->ended = 0;
}

/* ---- Whether two places are one ---- */

/* "?" alone says nothing. */
static const char *query_of(const struct mcp_place *place)
{
    return place->query != NULL && *place->query != '\0' ? place->query : NULL;
}

static size_t length_of(const char *path)
{
    size_t length = strlen(path);

    return length > 1 && path[length - 1] == '/' ? length - 1 : length;
}

static bool same_path(const char *left, const char *right)
{
    size_t length = length_of(left);

    return length == length_of(right) && strncasecmp(left, right, length) == 0;
}

/* Whether both lie in one folder. */
static bool are_beside(const char *left, const char *right)
{
    size_t left_length = length_of(left), right_length = length_of(right);

    while (left_length > 0 && left[left_length - 1] != '/')
        left_length--;
    while (right_length > 0 && right[right_length - 1] != '/')
        right_length--;
    return left_length == right_length && strncasecmp(left, right, left_length) == 0;
}

static bool same_part(struct span left, struct span right)
{
    char one[QUERY_PART_BYTES_MAX + 1], other[QUERY_PART_BYTES_MAX + 1];

    return url_query_decode(left, one, sizeof(one)) == OK &&
           url_query_decode(right, other, sizeof(other)) == OK && strcmp(one, other) == 0;
}

static bool same_query(const char *left, const char *right)
{
    struct span one = span_of(left), other = span_of(right), name, value, its_name, its_value;

    while (url_query_next(&one, &name, &value)) {
        if (!url_query_next(&other, &its_name, &its_value) || !same_part(name, its_name) ||
            !same_part(value, its_value))
            return false;
    }
    return !url_query_next(&other, &its_name, &its_value);
}

/*
 * Whether a query names a session, as the endpoints of HTTP+SSE do. The service
 * decodes names, so they are decoded here; what cannot be might be anything.
 */
static bool names_session(const char *query)
{
    struct span rest = span_of(query), name, value;

    while (url_query_next(&rest, &name, &value)) {
        char text[QUERY_PART_BYTES_MAX + 1];

        if (url_query_decode(name, text, sizeof(text)) != OK ||
            strncasecmp(text, "sessionid", strlen("sessionid")) == 0 ||
            strncasecmp(text, "session_id", strlen("session_id")) == 0)
            return true;
    }
    return false;
}

static bool takes_many_paths(const struct route *route)
{
    return strchr(route->path, '{') != NULL;
}

static bool takes_any_path(const struct route *route)
{
    return strstr(route->path, "...}") != NULL;
}

/* Whether a POST to there is for it. What was named without a query is known by its path. */
static bool is_it(const struct mcp_endpoint *endpoint, const struct mcp_place *place)
{
    const char *query = query_of(place);

    return endpoint->surface == place->surface && same_path(endpoint->path, place->path) &&
           (endpoint->query == NULL || (query != NULL && same_query(endpoint->query, query)));
}

/* Whether some POST would be for both, if it were named as well. */
static bool meets(const struct mcp_endpoint *endpoint, const struct mcp_place *place)
{
    return is_it(endpoint, place) ||
           (endpoint->surface == place->surface && query_of(place) == NULL &&
            same_path(endpoint->path, place->path));
}

/*
 * Whether it could be another of the kind. A path that a route has by itself says nothing of
 * whose it is without a query: services put other things there, too.
 */
static bool is_like(const struct mcp_endpoint *endpoint, const struct mcp_place *place)
{
    if (endpoint->surface != place->surface)
        return false;
    if (same_path(endpoint->path, place->path))
        return query_of(place) != NULL || takes_many_paths(endpoint->route);
    return endpoint->session != NULL && endpoint->query == NULL &&
           endpoint->route == place->route && takes_many_paths(place->route) &&
           (!takes_any_path(place->route) || are_beside(endpoint->path, place->path));
}

bool mcp_endpoints_find(const struct mcp_endpoints *endpoints, const struct mcp_place *place,
                        struct mcp_session **out)
{
    const char *query = query_of(place);
    bool like = query != NULL && names_session(query);

    *out = NULL;
    for (const struct mcp_endpoint *endpoint = endpoints->first; endpoint != NULL;
         endpoint = endpoint->next) {
        if (is_it(endpoint, place)) {
            *out = endpoint->session;
            return true;
        }
        like = like || is_like(endpoint, place);
    }
    return like;
}

struct mcp_session *mcp_endpoints_named(const struct mcp_endpoints *endpoints,
                                        const struct mcp_place *place)
{
    for (const struct mcp_endpoint *endpoint = endpoints->first; endpoint != NULL;
         endpoint = endpoint->next) {
        if (endpoint->session != NULL && meets(endpoint, place))
            return endpoint->session;
    }
    return NULL;
}

/* ---- Beginning and end ---- */

static void remove_at(struct mcp_endpoints *endpoints, struct mcp_endpoint **at)
{
    struct mcp_endpoint *endpoint = *at;

    endpoints->ended -= endpoint->session == NULL;
    *at = endpoint->next;
    destroy(endpoint);
}

enum error mcp_endpoints_open(struct mcp_endpoints *endpoints, const struct mcp_place *place,
                              struct mcp_session *session)
{
    const char *query = query_of(place);
    struct mcp_endpoint *endpoint = calloc(1, sizeof(*endpoint));

    if (endpoint == NULL || (endpoint->path = strdup(place->path)) == NULL ||
        (query != NULL && (endpoint->query = strdup(query)) == NULL)) {
        if (endpoint != NULL)
            destroy(endpoint);
        return ERROR_MEMORY;
    }
    for (struct mcp_endpoint **at = &endpoints->first; *at != NULL;) {
        if ((*at)->session == NULL && meets(*at, place))
            remove_at(endpoints, at); /* it lives again */
        else
            at = &(*at)->next;
    }
    endpoint->surface = place->surface;
    endpoint->route = place->route;
    endpoint->session = session;
    endpoint->next = endpoints->first;
    endpoints->first = endpoint;
    return OK;
}

/* Of those that have ended, the oldest is forgotten. */
static void forget_oldest(struct mcp_endpoints *endpoints)
{
    struct mcp_endpoint **oldest = NULL;

    for (struct mcp_endpoint **at = &endpoints->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->session == NULL)
            oldest = at;
    }
    if (oldest != NULL)
        remove_at(endpoints, oldest);
}

void mcp_endpoints_end(struct mcp_endpoints *endpoints, const struct mcp_session *session)
{
    struct mcp_endpoint **at = &endpoints->first;

    while (*at != NULL && (*at)->session != session)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    /* Without an id in its path there is nothing to remember: a query is known by its name. */
    if ((*at)->query != NULL || !takes_many_paths((*at)->route)) {
        remove_at(endpoints, at);
        return;
    }
    (*at)->session = NULL;
    endpoints->ended++;
    if (endpoints->ended > MCP_ENDPOINTS_ENDED_MAX)
        forget_oldest(endpoints);
}

void mcp_endpoints_vacate(struct mcp_endpoints *endpoints, uint32_t surface)
{
    for (struct mcp_endpoint **at = &endpoints->first; *at != NULL;) {
        if ((*at)->surface == surface)
            remove_at(endpoints, at);
        else
            at = &(*at)->next;
    }
}
