/* environment.c: what a service is told of ours, and what its surface says instead. */
#include "launch/common/environment.h"

#include "unit.h"

#include <string.h>

static char path[] = "PATH=/bin", bus[] = "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1/bus",
            agent[] = "SSH_AUTH_SOCK=/tmp/agent", runtime[] = "XDG_RUNTIME_DIR=/run/user/1",
            locale[] = "LC_TIME=C", longer[] = "PATHS=/bin", token[] = "API_TOKEN=secret",
            nameless[] = "TERM";
static char *ours[] = {bus, path, agent, runtime, locale, longer, token, nameless, NULL};

static struct environment environment;

static int begin(void **state)
{
    (void)state;
    return environment_begin(&environment, ours) == OK ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    environment_clear(&environment);
    return 0;
}

TEST_BETWEEN(test_nothing_passes_but_what_programs_need, begin, clear)
{
    assert_int_equal(environment.count, 2);
    assert_string_equal(environment.items[0], "PATH=/bin");
    assert_string_equal(environment.items[1], "LC_TIME=C");
    assert_null(environment.items[2]);
}

TEST_BETWEEN(test_what_is_set_is_there_once, begin, clear)
{
    assert_int_equal(environment_set(&environment, "PATH=/opt/bin"), OK);
    assert_int_equal(environment_set(&environment, "KEY=a=b"), OK);
    assert_int_equal(environment_set(&environment, "EMPTY="), OK);
    assert_int_equal(environment.count, 4);
    assert_string_equal(environment.items[0], "PATH=/opt/bin");
    assert_string_equal(environment.items[2], "KEY=a=b");
    assert_string_equal(environment.items[3], "EMPTY=");
    assert_null(environment.items[4]);
}

TEST_BETWEEN(test_what_has_no_name_is_refused, begin, clear)
{
    assert_int_equal(environment_set(&environment, "KEY"), ERROR_INVALID);
    assert_int_equal(environment_set(&environment, "=x"), ERROR_INVALID);
    assert_int_equal(environment_set(&environment, ""), ERROR_INVALID);
    assert_int_equal(environment.count, 2);
}

TEST_BETWEEN(test_nothing_at_all, NULL, clear)
{
    char *none[] = {NULL};

    assert_int_equal(environment_begin(&environment, none), OK);
    assert_null(environment.items[0]);
}
