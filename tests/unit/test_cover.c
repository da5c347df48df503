/* cover.c: which further requests a grant reaches, and every way in which one differs. */
#include "worker/http/cover.h"

#include "unit.h"

#include <string.h>

#define SESSION_TOKEN "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"

static struct request granted(void)
{
    return (struct request){.method = "POST",
                            .path = "/mcp",
                            .host = "localhost:8081",
                            .origin = "http://localhost:8081",
                            .authorization = SESSION_TOKEN};
}

/* Asks a cover of the granted request about another one. */
static bool reaches(const struct request *asked)
{
    const struct request first = granted();
    struct cover cover = {0};
    bool answer;

    cover_keep(&cover, &first);
    answer = cover_reaches(&cover, asked);
    cover_clear(&cover);
    assert_false(cover_reaches(&cover, asked));
    return answer;
}

TEST(test_the_same_again)
{
    struct request asked = granted();

    assert_true(reaches(&asked));
    asked.method = "GET";
    asked.path = "/other";
    asked.query = "a=b";
    assert_true(reaches(&asked));
}

TEST(test_what_it_rests_on)
{
    static const char *const others[] = {NULL, "", "x"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct request asked = granted();

        asked.host = others[i];
        assert_false(reaches(&asked));
        asked = granted();
        asked.origin = others[i];
        assert_false(reaches(&asked));
        asked = granted();
        asked.authorization = others[i];
        assert_false(reaches(&asked));
    }
}

/* A cookie beside the token, or none: it counts by what else a request brings. */
TEST(test_only_a_bearer)
{
    struct request first = granted(), asked;
    struct cover cover = {0};

    first.authorization = NULL;
    first.cookie = "a-cookie";
    asked = first;
    cover_keep(&cover, &first);
    assert_false(cover_reaches(&cover, &asked));
    cover_clear(&cover);
}

/* What is granted once is granted for no other request, be it the same. */
TEST(test_once)
{
    const struct request first = granted();
    struct cover cover = {0};

    cover_keep(&cover, &first);
    cover.once = true;
    assert_false(cover_reaches(&cover, &first));
    cover_clear(&cover);
}

TEST(test_what_the_broker_must_see)
{
    struct request asked = granted();

    asked.upgrade = true;
    assert_false(reaches(&asked));
    asked = granted();
    asked.subprotocols = "mcp";
    assert_false(reaches(&asked));
    asked = granted();
    asked.path = "/.sidelock/logout";
    assert_false(reaches(&asked));
}
