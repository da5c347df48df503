/* own_path.c: the paths that are the gate's, and what each takes. */
#include "policy/own_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_is(void **state)
{
    (void)state;
    assert_true(own_path_is("/.sidelock/login"));
    assert_true(own_path_is("/.sidelock/"));
    assert_true(own_path_is("/.sidelock/login/x"));
    assert_false(own_path_is("/.sidelock"));
    assert_false(own_path_is("/.Sidelock/login"));
    assert_false(own_path_is("/x/.sidelock/login"));
    assert_false(own_path_is("/"));
    assert_false(own_path_is(""));
}

static void test_actions(void **state)
{
    static const struct {
        const char *method, *path;
        bool upgrade;
        enum reason reason;
        enum own_action action;
    } cases[] = {
        {"GET", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN_PAGE},
        {"HEAD", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN_PAGE},
        {"POST", "/.sidelock/login", false, REASON_ALLOWED, OWN_LOGIN},
        {"POST", "/.sidelock/ticket", false, REASON_ALLOWED, OWN_TICKET},
        {"GET", "/.sidelock/logout", false, REASON_ALLOWED, OWN_LOGOUT_PAGE},
        {"POST", "/.sidelock/logout", false, REASON_ALLOWED, OWN_LOGOUT},
        {"GET", "/.sidelock/ticket", false, REASON_METHOD_REFUSED, OWN_REFUSE},
        {"PUT", "/.sidelock/login", false, REASON_METHOD_REFUSED, OWN_REFUSE},
        {"post", "/.sidelock/login", false, REASON_METHOD_REFUSED, OWN_REFUSE},
        {"GET", "/.sidelock/login", true, REASON_UPGRADE_INVALID, OWN_REFUSE},
        {"GET", "/.sidelock/", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
        {"GET", "/.sidelock/login/", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
        {"GET", "/.sidelock/Login", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
        {"POST", "/login", false, REASON_ROUTE_UNKNOWN, OWN_REFUSE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request = {
            .method = cases[i].method, .path = cases[i].path, .upgrade = cases[i].upgrade};
        enum own_action action = OWN_REFUSE;

        assert_string_equal(reason_info(own_path_action(&request, &action))->code,
                            reason_info(cases[i].reason)->code);
        assert_int_equal(action, cases[i].action);
    }
}

static void test_methods(void **state)
{
    (void)state;
    assert_string_equal(own_path_methods("/.sidelock/login"), "GET, HEAD, POST");
    assert_string_equal(own_path_methods("/.sidelock/ticket"), "POST");
    assert_string_equal(own_path_methods("/.sidelock/x"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_methods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
