/* own_path.c: the paths that are the gate's, and what each takes. */
#include "admission_cases.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

TEST(test_is)
{
    assert_true(own_path_is("/.sidelock/login"));
    assert_true(own_path_is("/.sidelock/"));
    assert_true(own_path_is("/.sidelock/login/x"));
    assert_false(own_path_is("/.sidelock"));
    assert_false(own_path_is("/.Sidelock/login"));
    assert_false(own_path_is("/x/.sidelock/login"));
    assert_false(own_path_is("/"));
    assert_false(own_path_is(""));
}

TEST(test_actions)
{
    for (size_t i = 0; i < sizeof(own_path_cases) / sizeof(own_path_cases[0]); i++) {
        struct request request = {.method = own_path_cases[i].method,
                                  .path = own_path_cases[i].path,
                                  .upgrade = own_path_cases[i].upgrade};
        enum own_action action = OWN_REFUSE;

        assert_string_equal(reason_info(own_path_action(&request, &action))->code,
                            reason_info(own_path_cases[i].reason)->code);
        assert_int_equal(action, own_path_cases[i].action);
    }
}

TEST(test_methods)
{
    assert_string_equal(own_path_methods("/.sidelock/login"), "GET, HEAD, POST");
    assert_string_equal(own_path_methods("/.sidelock/ticket"), "POST");
    assert_string_equal(own_path_methods("/.sidelock/x"), "");
}
