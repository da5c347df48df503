/*
 * Any bytes as a raw path: refused, or decoded. What is decoded is held against another decoder,
 * which readers of services might have: it has no byte and no segment that one of them would
 * take for something else. And of a surface with closed, vetted and open routes: whoever reads an
 * accepted path in whichever way comes to the route that the gate has chosen. The first byte says
 * whether an upgrade is asked for.
 */
#include "config/config.h"
#include "fuzz.h"
#include "policy/admission.h"
#include "policy/own_path.h"
#include "wire/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Readers ---- */

/* Decodes with the C library's own numbers; true if every '%' was one of an encoding. */
static bool unescape(const char *text, size_t length, bool slashes, char *out, size_t *written)
{
    bool whole = true;

    *written = 0;
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {0}, *end = digits;
        long byte = 0;

        if (text[i] == '%' && i + 2 < length) {
            memcpy(digits, text + i + 1, 2);
            byte = strspn(digits, "0123456789abcdefABCDEF") == 2 ? strtol(digits, &end, 16) : 0;
        }
        if (text[i] != '%') {
            out[(*written)++] = text[i];
        } else if (end != digits + 2) {
            whole = false;
            out[(*written)++] = '%';
        } else if (byte == '/' && !slashes) {
            memcpy(out + *written, "%2F", 3);
            *written += 3;
            i += 2;
        } else {
            out[(*written)++] = (char)byte;
            i += 2;
        }
    }
    out[*written] = '\0';
    return whole;
}

static void cut_query(char *path)
{
    path[strcspn(path, "?#")] = '\0';
}

static void cut_parameters(char *path)
{
    char *to = path;

    for (const char *at = path; *at != '\0';) {
        size_t segment = strcspn(at, "/"), kept = strcspn(at, "/;");

        memmove(to, at, kept);
        to += kept;
        at += segment;
        if (*at == '/')
            *to++ = *at++;
    }
    *to = '\0';
}

static void merge(char *path)
{
    for (char *at; (at = strstr(path, "//")) != NULL;)
        memmove(at, at + 1, strlen(at));
}

/* Segments that a reader resolves, and what it may take for a separator. */
static bool is_plain(const char *path)
{
    char padded[REQUEST_PATH_BYTES_MAX * 4 + 2];

    snprintf(padded, sizeof(padded), "%s/", path);
    return path[0] == '/' && strstr(padded, "/./") == NULL && strstr(padded, "/../") == NULL &&
           strchr(path, '\\') == NULL && !text_has_control(path);
}

/* ---- Routes ---- */

static char shut[] = "/shut/{any...}", shut_one[] = "/a/{x}/b", one[] = "/one/{name}",
            two[] = "/two/{name}/{other}", vetted[] = "/mcp", socket_path[] = "/ws/{id}",
            query[] = "/query/{any...}", rest[] = "/{any...}";
static struct route routes[] = {
    {.path = shut, .kind = ROUTE_CLOSED},
    {.path = shut_one, .kind = ROUTE_CLOSED},
    {.path = one, .kind = ROUTE_HTTP},
    {.path = two, .kind = ROUTE_HTTP},
    {.path = vetted, .kind = ROUTE_MCP_HTTP},
    {.path = socket_path, .kind = ROUTE_WEBSOCKET},
    {.path = query, .kind = ROUTE_HTTP, .query_set = true},
    {.path = rest, .kind = ROUTE_HTTP},
};
static const struct surface surface = {.routes = routes,
                                       .route_count = sizeof(routes) / sizeof(routes[0])};

/* The route by its path alone, without any other reading. */
static const struct route *plain_route(const char *path, bool upgrade)
{
    const struct route *other = NULL;

    for (size_t i = 0; i < surface.route_count; i++) {
        const struct route *route = &routes[i];
        bool matches = admission_path_matches(route->path, path) ||
                       (route->kind == ROUTE_MCP_HTTP && strcmp(path, "/mcp/") == 0);

        if (matches && route->kind == ROUTE_CLOSED)
            return other;
        if (matches && (route->kind == ROUTE_WEBSOCKET) == upgrade)
            return route;
        if (matches && other == NULL)
            other = route;
    }
    return other;
}

/* One service's way: with its own idea of slashes, decoding, queries, parameters, empty segments.
 */
static void check_reader(struct span raw, unsigned way, const struct route *route, bool upgrade)
{
    char once[REQUEST_PATH_BYTES_MAX * 4], read[REQUEST_PATH_BYTES_MAX * 4];
    size_t length;

    unescape(raw.data, raw.length, (way & 1) != 0, once, &length);
    require(strlen(once) == length);
    strcpy(read, once);
    if ((way & 2) != 0)
        unescape(once, length, (way & 1) != 0, read, &length);
    require(strlen(read) == length);
    if ((way & 4) != 0)
        cut_query(read);
    if ((way & 8) != 0)
        cut_parameters(read);
    if ((way & 16) != 0)
        merge(read);
    require(is_plain(read));
    require(!own_path_is(read));
    require(plain_route(read, upgrade) == route);
}

/* What is looked into is sent in one spelling only. */
static void check_single(const char *path, const struct route *route)
{
    if (route->kind != ROUTE_HTTP)
        require(strpbrk(path, "?#;") == NULL && strstr(path, "%2F") == NULL);
    if (route->query_set)
        require(strpbrk(path, "?#") == NULL);
}

static void check_routes(struct span raw, const char *path, bool upgrade)
{
    const struct route *route;
    enum reason reason = admission_route(&surface, path, upgrade, &route);

    require((route != NULL) == reason_allows(reason));
    require(reason_allows(reason) || reason == REASON_ROUTE_UNKNOWN ||
            reason == REASON_PATH_READINGS);
    if (strpbrk(path, "%;?#") == NULL)
        require(route == plain_route(path, upgrade));
    if (reason == REASON_PATH_READINGS || own_path_is(path))
        return;
    if (route != NULL)
        check_single(path, route);
    for (unsigned way = 0; way < 32; way++)
        check_reader(raw, way, route, upgrade);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span raw = {(const char *)data + 1, size - 1};
    char path[REQUEST_PATH_BYTES_MAX], other[REQUEST_PATH_BYTES_MAX * 4];
    size_t length;
    enum reason reason;

    if (size == 0 || size > REQUEST_PATH_BYTES_MAX * 3)
        return 0;
    reason = url_path_decode(raw, path, sizeof(path));
    require(reason_allows(reason) || reason_same(reason, REASON_PATH_INVALID));
    if (!reason_allows(reason))
        return 0;
    require(memchr(raw.data, '\0', raw.length) == NULL &&
            memchr(raw.data, ' ', raw.length) == NULL);
    require(memchr(raw.data, '?', raw.length) == NULL && memchr(raw.data, '#', raw.length) == NULL);
    require(unescape(raw.data, raw.length, false, other, &length));
    require(strlen(path) == length && strcmp(path, other) == 0);
    require(is_plain(path) && strstr(path, "//") == NULL && utf8_valid(path, length));
    require(reason_allows(url_path_check(path)));
    check_routes(raw, path, (data[0] & 1) != 0);
    return 0;
}
