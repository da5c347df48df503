/* main() of every unit test program, and the list of its tests (unit.h). */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TESTS_MAX 64

__attribute__((weak)) CMFixtureFunction unit_set_up, unit_tear_down;

static struct CMUnitTest tests[TESTS_MAX];
static size_t count;

void unit_register(const struct CMUnitTest *test)
{
    if (count == TESTS_MAX)
        abort();
    tests[count++] = *test;
}

int unit_status_of(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    if (count == 0) {
        fputs("no TEST() in this program\n", stderr);
        return 1;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    /* What cmocka_run_group_tests() is a macro for. */
    return _cmocka_run_group_tests(program_invocation_short_name, tests, count, unit_set_up,
                                   unit_tear_down);
}
