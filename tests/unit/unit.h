/*
 * The frame of a unit test program: `TEST(name) { ... }` is a test, and there is
 * no list of them; unit.c has main(), which runs them in the order of the file.
 * Tests use cmocka's asserts. A program's argument is a pattern of the tests to run.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A test between two functions, each of which may be NULL; what `set_up` makes is in *state. */
#define TEST_BETWEEN(test, set_up, tear_down)                                                      \
    static void test(void **state);                                                                \
    __attribute__((constructor)) static void register_##test(void)                                 \
    {                                                                                              \
        unit_register(&(struct CMUnitTest){#test, test, set_up, tear_down, NULL});                 \
    }                                                                                              \
    static void test(void **state __attribute__((unused)))

#define TEST(test) TEST_BETWEEN(test, NULL, NULL)

void unit_register(const struct CMUnitTest *test);

/* What runs before the first test and after the last; a program may define them otherwise. */
extern CMFixtureFunction unit_set_up, unit_tear_down;

/* What a child that runs `body` exits with. */
int unit_status_of(int (*body)(void));
