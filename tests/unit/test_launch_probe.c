/* probe.c: what it says of this kernel agrees with the version that the kernel gives itself. */
#include "launch/common/probe.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static bool is_at_least(long major, long minor)
{
    struct utsname name;
    char *rest;
    long has_major, has_minor;

    uname(&name);
    has_major = strtol(name.release, &rest, 10);
    has_minor = strtol(rest + 1, NULL, 10);
    return has_major > major || (has_major == major && has_minor >= minor);
}

/* A container may refuse more than its kernel would: what is said to be there is. */
TEST(test_nothing_is_said_to_be_there_before_its_version)
{
    struct probe probe;

    probe_kernel(&probe);
    assert_true(!probe.namespaces_named || is_at_least(5, 14));
    assert_true(!probe.signals_wait || is_at_least(5, 19));
    assert_true(!probe.memfds_sealed || is_at_least(6, 3));
    assert_true(!probe.threads_named || is_at_least(6, 9));
    assert_true(probe.landlock == 0 || is_at_least(5, 13));
}

/* Sockets and memfds are refused by nobody's filter. */
TEST(test_what_the_version_has_is_found)
{
    struct probe probe;

    probe_kernel(&probe);
    assert_int_equal(probe.namespaces_named, is_at_least(5, 14));
    assert_int_equal(probe.memfds_sealed, is_at_least(6, 3));
}
