/* route.c: where a path leads, and whether it leads everybody there. */
#include "policy/admission.h"
#include "wire/url.h"

#include "unit.h"
#include "vector_lines.h"

#include <string.h>

static char shut[] = "/api/terminals", shut_more[] = "/api/terminals/{any...}",
            shut_between[] = "/shut/{x}/b", mcp[] = "/mcp", sse[] = "/sse/",
            messages[] = "/messages", socket_path[] = "/ws/{id}", one[] = "/one/{name}",
            query[] = "/query/{any...}", rest[] = "/{any...}";

static struct route routes[] = {
    {.path = shut, .kind = ROUTE_CLOSED},
    {.path = shut_more, .kind = ROUTE_CLOSED},
    {.path = shut_between, .kind = ROUTE_CLOSED},
    {.path = mcp, .kind = ROUTE_MCP_HTTP},
    {.path = sse, .kind = ROUTE_MCP_HTTP},
    {.path = messages, .kind = ROUTE_MCP_HTTP},
    {.path = socket_path, .kind = ROUTE_WEBSOCKET},
    {.path = one, .kind = ROUTE_HTTP},
    {.path = query, .kind = ROUTE_HTTP, .query_set = true},
    {.path = rest, .kind = ROUTE_HTTP},
};
static const struct surface surface = {.routes = routes,
                                       .route_count = sizeof(routes) / sizeof(routes[0])};

/* The first segment of the route's path, as the vectors name it. */
static const char *name_of(const struct route *route)
{
    if (route->kind == ROUTE_WEBSOCKET)
        return "socket";
    if (route->path == rest)
        return "rest";
    return route->path == one ? "one" : route->path == query ? "query" : route->path + 1;
}

static const char *follow(struct span raw, bool upgrade)
{
    char path[REQUEST_PATH_BYTES_MAX];
    const struct route *route;
    enum reason reason = url_path_decode(raw, path, sizeof(path));

    if (!reason_allows(reason))
        return reason_info(reason)->cause;
    reason = admission_route(&surface, path, upgrade, &route);
    assert_true(reason_allows(reason) == (route != NULL));
    if (route != NULL)
        return name_of(route);
    return reason == REASON_ROUTE_UNKNOWN ? "none" : reason_info(reason)->cause;
}

TEST(test_readings)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/url/readings.txt");
    for (; vector_next(&vector, 3); count++) {
        bool upgrade = strcmp(vector.fields[0], "u") == 0;
        const char *led = follow((struct span){vector.text, vector.length}, upgrade);

        if (strcmp(led, vector.fields[1]) != 0)
            fail_msg("line %zu: leads to %s", vector.number, led);
    }
    vector_close(&vector);
    assert_true(count >= 80);
}

/* The longest paths with the most readings take no long time and no more room. */
TEST(test_long)
{
    static const char *const pieces[] = {"/%2f", "/%2541", "/a;", "/%3f", "/%2f%2541;%3f"};
    char raw[REQUEST_PATH_BYTES_MAX];

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t length = 0, piece = strlen(pieces[i]);

        for (; length + piece < sizeof(raw); length += piece)
            memcpy(raw + length, pieces[i], piece);
        assert_non_null(follow((struct span){raw, length}, false));
    }
}
