/* Which route a path leads to, whoever reads it: admission_route(). */
#include "policy/admission.h"
#include "policy/own_path.h"
#include "wire/url.h"

#include <string.h>

/* {name...}, which ends a pattern. */
static bool is_rest(const char *segment, size_t length)
{
    return length > 5 && segment[0] == '{' && segment[length] == '\0' &&
           memcmp(segment + length - 4, "...}", 4) == 0;
}

/* `either`: a slash at the end is there or not. */
static bool matches(const char *pattern, const char *path, bool either)
{
    while (*pattern != '\0') {
        size_t pattern_length, path_length;

        if (*pattern != '/' || *path != '/')
            return either && *path == '\0' && strcmp(pattern, "/") == 0;
        pattern++;
        path++;
        pattern_length = strcspn(pattern, "/");
        path_length = strcspn(path, "/");
        if (is_rest(pattern, pattern_length))
            return true;
        if (pattern[0] == '{' && pattern_length > 1 && pattern[pattern_length - 1] == '}') {
            if (path_length == 0)
                return false;
        } else if (pattern_length != path_length || memcmp(pattern, path, path_length) != 0) {
            return false;
        }
        pattern += pattern_length;
        path += path_length;
    }
    return *path == '\0' || (either && strcmp(path, "/") == 0);
}

bool admission_path_matches(const char *pattern, const char *path)
{
    return matches(pattern, path, false);
}

static const struct route *find(const struct surface *surface, const char *path, bool upgrade)
{
    const struct route *other = NULL;

    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];

        /* Frameworks send clients of MCP from one to the other. */
        if (!matches(route->path, path, route->kind == ROUTE_MCP_HTTP))
            continue;
        if (route->kind == ROUTE_CLOSED)
            return other;
        if ((route->kind == ROUTE_WEBSOCKET) == upgrade)
            return route;
        if (other == NULL)
            other = route;
    }
    return other;
}

/* ---- What readers may make of a decoded path ---- */

enum {
    READ_SLASHES = 1,    /* an encoded slash is a slash */
    READ_TWICE = 2,      /* what is still an encoding is decoded again */
    READ_QUERY = 4,      /* '?' and '#' end the path */
    READ_PARAMETERS = 8, /* ';' ends a segment */
    READ_MERGED = 16,    /* slashes next to each other are one */
    READINGS = 32
};

/* In which ways the path can be read; 0: in one. */
static unsigned ways_of(const char *path)
{
    unsigned ways = 0;

    for (const char *at = path + strcspn(path, "%;?#"); *at != '\0'; at += strcspn(at, "%;?#")) {
        if (*at == ';')
            ways |= READ_PARAMETERS;
        else if (*at != '%')
            ways |= READ_QUERY;
        else if (strncmp(at, URL_ENCODED_SLASH, sizeof(URL_ENCODED_SLASH) - 1) == 0)
            ways |= READ_SLASHES | READ_MERGED;
        else if (text_hex_digit(at[1]) >= 0 && text_hex_digit(at[2]) >= 0)
            ways |= READ_TWICE | READ_QUERY | READ_PARAMETERS;
        at++;
    }
    return ways;
}

/* Decodes the one kind of encodings, the other, or both. The new length. */
static size_t decode(unsigned way, const char *path, char *out)
{
    size_t length = 0;

    while (*path != '\0') {
        bool slash = strncmp(path, URL_ENCODED_SLASH, sizeof(URL_ENCODED_SLASH) - 1) == 0;

        if (*path == '%' && (way & (slash ? READ_SLASHES : READ_TWICE)) != 0 &&
            text_hex_digit(path[1]) >= 0 && text_hex_digit(path[2]) >= 0) {
            out[length++] = (char)(text_hex_digit(path[1]) * 16 + text_hex_digit(path[2]));
            path += 3;
        } else {
            out[length++] = *path++;
        }
    }
    out[length] = '\0';
    return length;
}

/* Takes out what a reader does not see; false if a segment is not seen at all. */
static bool shorten(unsigned way, char *path)
{
    size_t length = 0;

    if ((way & READ_QUERY) != 0)
        path[strcspn(path, "?#")] = '\0';
    for (const char *at = path; *at != '\0';) {
        if ((way & READ_PARAMETERS) != 0 && *at == ';') {
            if (path[length - 1] == '/')
                return false;
            at += strcspn(at, "/");
        } else if ((way & READ_MERGED) != 0 && *at == '/' && length > 0 &&
                   path[length - 1] == '/') {
            at++;
        } else {
            path[length++] = *at++;
        }
    }
    path[length] = '\0';
    return true;
}

/* Whether who reads the path in this way comes to the route. */
static bool leads_to(const struct surface *surface, const struct route *route, bool upgrade,
                     const char *path, unsigned way)
{
    char read[REQUEST_PATH_BYTES_MAX];
    size_t length = decode(way, path, read);
    enum reason reason;

    if (strlen(read) != length || !shorten(way, read) || own_path_is(read) != own_path_is(path))
        return false;
    reason = url_path_check(read);
    return (reason_allows(reason) || reason == REASON_PATH_EMPTY) &&
           find(surface, read, upgrade) == route;
}

/* Where messages or queries are looked into, a path means one thing. */
static bool may_be_read(const struct route *route, unsigned ways)
{
    return ways == 0 || route == NULL ||
           (route->kind == ROUTE_HTTP && ((ways & READ_QUERY) == 0 || !route->query_set));
}

enum reason admission_route(const struct surface *surface, const char *path, bool upgrade,
                            const struct route **out)
{
    const struct route *route = find(surface, path, upgrade);
    unsigned ways = ways_of(path);

    *out = NULL;
    if (!may_be_read(route, ways))
        return REASON_PATH_READINGS;
    for (unsigned way = 1; ways != 0 && way < READINGS; way++) {
        if ((way & ~ways) == 0 && !leads_to(surface, route, upgrade, path, way))
            return REASON_PATH_READINGS;
    }
    *out = route;
    return route != NULL ? REASON_ALLOWED : REASON_ROUTE_UNKNOWN;
}
