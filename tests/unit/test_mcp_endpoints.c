/* mcp_endpoints.c: whose a POST of HTTP+SSE is, however its target is written. */
#include "worker/mcp/mcp_endpoints.h"

#include "unit.h"

#include <stdio.h>

static struct mcp_endpoints endpoints;
/* Routes of one path, of many, of any. */
static char one_path[] = "/messages", many_paths[] = "/messages/{id}", any_path[] = "/{any...}";
static const struct route fixed = {.path = one_path}, many = {.path = many_paths},
                          any = {.path = any_path};
static struct mcp_session first, second;

static int set_up(void **state)
{
    (void)state;
    endpoints = (struct mcp_endpoints){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mcp_endpoints_clear(&endpoints);
    return endpoints.first == NULL && endpoints.ended == 0 ? 0 : -1;
}

static void name(const struct route *route, const char *path, const char *query,
                 struct mcp_session *session)
{
    const struct mcp_place place = {1, route, path, query};

    assert_null(mcp_endpoints_named(&endpoints, &place));
    assert_int_equal(mcp_endpoints_open(&endpoints, &place, session), OK);
}

#define NONE ((struct mcp_session *)-1) /* not for an endpoint at all */

static struct mcp_session *found(const struct route *route, const char *path, const char *query)
{
    const struct mcp_place place = {1, route, path, query};
    struct mcp_session *session = &first;
    bool is_for_one = mcp_endpoints_find(&endpoints, &place, &session);

    return is_for_one ? session : NONE;
}

#define ENDPOINTS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

ENDPOINTS_TEST(test_path)
{
    const struct mcp_place elsewhere = {2, &many, "/messages/S1", NULL};
    struct mcp_session *session;

    name(&many, "/messages/S1", NULL, &first);
    assert_ptr_equal(found(&many, "/messages/S1", NULL), &first);
    assert_ptr_equal(found(&many, "/messages/S1", ""), &first);
    assert_ptr_equal(found(&many, "/messages/S1", "x=1"), &first);
    assert_ptr_equal(found(&many, "/messages/s1", NULL), &first);
    assert_ptr_equal(found(&many, "/messages/S1/", NULL), &first);
    assert_null(found(&many, "/messages/S2", NULL));
    assert_ptr_equal(found(&fixed, "/messages", NULL), NONE);
    assert_false(mcp_endpoints_find(&endpoints, &elsewhere, &session));
    name(&many, "/messages/S2", NULL, &second);
    assert_ptr_equal(found(&many, "/messages/S2", NULL), &second);
    assert_ptr_equal(found(&many, "/messages/S1", NULL), &first);
}

/* Beside the endpoints of a route that takes any path there are other things. */
ENDPOINTS_TEST(test_any_path)
{
    name(&any, "/messages/S1", NULL, &first);
    assert_null(found(&any, "/messages/S2", NULL));
    assert_null(found(&any, "/Messages/S2/", NULL));
    assert_ptr_equal(found(&any, "/mcp", NULL), NONE);
    assert_ptr_equal(found(&any, "/messages/S1/more", NULL), NONE);
    assert_ptr_equal(found(&many, "/messages/S2", NULL), NONE); /* another route's */
}

ENDPOINTS_TEST(test_query)
{
    name(&fixed, "/messages", "sid=S1&v=a%20b", &first);
    assert_ptr_equal(found(&fixed, "/messages", "sid=S1&v=a+b"), &first);
    assert_ptr_equal(found(&fixed, "/messages/", "s%69d=%531&v=a b"), &first);
    assert_null(found(&fixed, "/messages", "sid=S2&v=a%20b"));
    assert_null(found(&fixed, "/messages", "sid=S1"));
    assert_null(found(&fixed, "/messages", "sid=S1&v=a%20b&x"));
    assert_null(found(&fixed, "/messages", "v=a%20b&sid=S1"));
    assert_null(found(&fixed, "/messages", "sid=S1&v=a%20b%zz"));
    /* Without a query this path says nothing. */
    assert_ptr_equal(found(&fixed, "/messages", NULL), NONE);
    assert_ptr_equal(found(&fixed, "/messages", ""), NONE);
    assert_ptr_equal(found(&fixed, "/mcp", "sid=S1&v=a%20b"), NONE);
}

/* A query that names a session is for an endpoint, whether anything was named or not. */
ENDPOINTS_TEST(test_names_session)
{
    assert_ptr_equal(found(&fixed, "/mcp", NULL), NONE);
    assert_ptr_equal(found(&fixed, "/mcp", "v=1"), NONE);
    assert_null(found(&fixed, "/mcp", "sessionId=1"));
    assert_null(found(&fixed, "/mcp", "x=1&SESSION_ID"));
    assert_null(found(&fixed, "/mcp", "%73essionid%5B%5D=1"));
    assert_null(found(&fixed, "/mcp", "%ff=1"));
}

ENDPOINTS_TEST(test_path_and_query)
{
    name(&many, "/messages/S1", "v=1", &first);
    assert_ptr_equal(found(&many, "/messages/S1", "v=1"), &first);
    assert_null(found(&many, "/messages/S1", NULL));
    assert_null(found(&many, "/messages/S1", "v=2"));
    name(&many, "/messages/S1", "v=2", &second);
    assert_ptr_equal(found(&many, "/messages/S1", "v=2"), &second);
    assert_ptr_equal(found(&many, "/messages/S1", "v=1"), &first);
}

/* What is named twice, or so that one POST would be for both. */
ENDPOINTS_TEST(test_named)
{
    const struct mcp_place bare = {1, &fixed, "/messages", NULL},
                           asking = {1, &fixed, "/messages", "sid=1"},
                           same = {1, &fixed, "/messages/", "s%69d=1"},
                           other = {1, &fixed, "/messages", "sid=2"},
                           elsewhere = {2, &fixed, "/messages", "sid=1"};

    name(&fixed, "/messages", "sid=1", &first);
    assert_ptr_equal(mcp_endpoints_named(&endpoints, &asking), &first);
    assert_ptr_equal(mcp_endpoints_named(&endpoints, &same), &first);
    assert_ptr_equal(mcp_endpoints_named(&endpoints, &bare), &first);
    assert_null(mcp_endpoints_named(&endpoints, &other));
    assert_null(mcp_endpoints_named(&endpoints, &elsewhere));
    mcp_endpoints_end(&endpoints, &first);
    name(&fixed, "/messages", NULL, &first);
    assert_ptr_equal(mcp_endpoints_named(&endpoints, &other), &first);
}

ENDPOINTS_TEST(test_end)
{
    name(&many, "/messages/S1", NULL, &first);
    name(&fixed, "/messages", NULL, &second);
    mcp_endpoints_end(&endpoints, &first);
    mcp_endpoints_end(&endpoints, &second);
    mcp_endpoints_end(&endpoints, &second);
    /* Its path is still nobody else's; others beside it may be anything again. */
    assert_null(found(&many, "/messages/S1", NULL));
    assert_ptr_equal(found(&many, "/messages/S2", NULL), NONE);
    assert_ptr_equal(found(&fixed, "/messages", NULL), NONE);
    assert_int_equal(endpoints.ended, 1);
    name(&many, "/messages/S1", NULL, &second);
    assert_int_equal(endpoints.ended, 0);
    assert_ptr_equal(found(&many, "/messages/S1", NULL), &second);
}

ENDPOINTS_TEST(test_ended_are_bounded)
{
    char path[32];

    for (unsigned i = 0; i < MCP_ENDPOINTS_ENDED_MAX + 2; i++) {
        snprintf(path, sizeof(path), "/messages/%u", i);
        name(&many, path, NULL, &first);
        mcp_endpoints_end(&endpoints, &first);
    }
    assert_int_equal(endpoints.ended, MCP_ENDPOINTS_ENDED_MAX);
    assert_ptr_equal(found(&many, "/messages/1", NULL), NONE);
    assert_null(found(&many, "/messages/2", NULL));
}
