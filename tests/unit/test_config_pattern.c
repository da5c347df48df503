/*
 * Patterns of the configuration: they match whole values, and those that would
 * not, or that would cost too much, are refused.
 */
#include "config/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void test_patterns_match_whole_values(void **state)
{
    static const char *const tries[][3] = {
        /* pattern, matches, does not */
        {"a|b", "b", "ab"},
        {"^a$", "a", "aa"},
        {"[]]+", "]]", "]a"},
        {"[^]]", "a", "]"},
        {"[[:digit:])(]+", "1)(", "a"},
        {"\\(a\\)", "(a)", "a"},
        {"a{2,}", "aaa", "a"},
        {"(ab){0,2}", "abab", "ababab"},
        {"a\\{b", "a{b", "ab"},
        {"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01234567-89ab-cdef-0123-456789abcdef",
         "01234567-89ab-cdef-0123-456789abcdef\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        const char *why;
        regex_t pattern;

        if (config_pattern_compile(tries[i][0], &pattern, &why) != OK)
            fail_msg("%s %s", tries[i][0], why);
        if (regexec(&pattern, tries[i][1], 0, NULL, 0) != 0 ||
            regexec(&pattern, tries[i][2], 0, NULL, 0) == 0)
            fail_msg("%s matches otherwise", tries[i][0]);
        regfree(&pattern);
    }
}

static void test_refused(void **state)
{
    static const char *const refused[][2] = {
        {"", "empty"},
        {"a)|(b", "open a group"},
        {"a)|b(c)", "open a group"},
        {"(a", "close every"},
        {"[a", "close its"},
        {"[[:alpha:]", "close its"},
        {"[]", "close its"},
        {"a\\", "backslash"},
        {"(a)\\1", "refer back"},
        {"a{", "brace"},
        {"a{,3}", "brace"},
        {"a{1,2", "brace"},
        {"a{ 1}", "brace"},
        {"a{+1}", "brace"},
        {"a{10000}", "brace"},
        {"a{1001}", "1000"},
        {"a{3,2}", "smaller"},
        {"(a{99}){99}", "multiply"},
        {"a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}", "multiply"},
        {"((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+", "so deeply"},
        {"((((((((((((((((((a))))))))))))))))))", "nest"},
        {"+", "POSIX"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *why = NULL;
        regex_t pattern;

        if (config_pattern_compile(refused[i][0], &pattern, &why) != ERROR_INVALID)
            fail_msg("\"%s\" compiles", refused[i][0]);
        if (strstr(why, refused[i][1]) == NULL)
            fail_msg("\"%s\" %s", refused[i][0], why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_match_whole_values),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
