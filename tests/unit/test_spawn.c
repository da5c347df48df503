/* spawn.c: which worker listens for which surface. */
#include "broker/core/spawn.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>

#define SURFACES 7

/* Odd surfaces carry MCP over HTTP, behind another route; even ones do not. */
TEST(test_serves)
{
    struct route plain[] = {{.kind = ROUTE_HTTP}, {.kind = ROUTE_WEBSOCKET}};
    struct route mcp[] = {{.kind = ROUTE_HTTP}, {.kind = ROUTE_MCP_HTTP}};
    struct surface surfaces[SURFACES] = {0};
    struct surface_state items[SURFACES] = {0};
    struct config config = {.workers = 1};
    struct surfaces gate = {.config = &config, .items = items};

    for (size_t i = 0; i < SURFACES; i++) {
        items[i].config = &surfaces[i];
        surfaces[i].routes = i % 2 == 1 ? mcp : plain;
        surfaces[i].route_count = 2;
    }
    for (config.workers = 1; config.workers <= 5; config.workers++) {
        for (uint32_t i = 0; i < SURFACES; i++) {
            unsigned serving = 0;

            for (unsigned worker = 0; worker < config.workers; worker++)
                serving += spawn_serves(&gate, worker, i);
            assert_int_equal(serving, i % 2 == 1 ? 1 : config.workers);
        }
    }
    /* And not all of them the same one. */
    config.workers = 2;
    surfaces[2].routes = mcp;
    assert_true(spawn_serves(&gate, 1, 1));
    assert_true(spawn_serves(&gate, 0, 2));
    assert_false(spawn_would_serve(&surfaces[2], 2, 1, 2));
    assert_true(spawn_would_serve(&surfaces[2], 2, 1, 3));
    /* Nor does more than one count what a session does in a second. */
    surfaces[4].limits.rated = true;
    assert_true(spawn_serves(&gate, 0, 4));
    assert_false(spawn_serves(&gate, 1, 4));
    surfaces[0].route_count = 0;
    assert_true(spawn_serves(&gate, 0, 0) && spawn_serves(&gate, 1, 0));
}
