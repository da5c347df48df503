/*
 * Patterns of the configuration: they match whole values, what POSIX and PCRE2
 * read differently is refused, and what is accepted means to POSIX's regcomp()
 * what it means to us.
 */
#include "config/pattern.h"

#include "unit.h"

#include <stddef.h>
#include <stdint.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_PATTERNS     60000
#define RANDOM_ACCEPTED_MIN 10000 /* fewer, and the comparison shows nothing */
#define RANDOM_MATCHES_MIN  5000
#define RANDOM_PATTERN_BYTES                                                                       \
    14 /* regcomp() takes minutes over longer ones that repeat repetitions */
#define VALUES_A_PATTERN 12

static struct config_pattern *compile(const char *text)
{
    struct config_pattern *pattern = NULL;
    char why[CONFIG_PATTERN_WHY_SIZE];

    if (config_pattern_compile(text, &pattern, why) != OK)
        fail_msg("\"%s\" %s", text, why);
    return pattern;
}

TEST(test_patterns_match_whole_values)
{
    static const char *const tries[][3] = {
        /* pattern, matches, does not */
        {"a|b", "b", "ab"},
        {"^a$", "a", "aa"},
        {"^a|b$", "b", "cb"},
        {"^a$|^b$", "b", "ab"},
        {"a|ab", "ab", "abb"},
        {"a$", "a", "a\n"},
        {".", "\n", "ab"},
        {"[^a]", "\n", "a"},
        {"A", "A", "a"},
        {"[]]+", "]]", "]a"},
        {"[^]]", "a", "]"},
        {"[[:digit:])(]+", "1)(", "a"},
        {"[\\\\a]+", "\\a", "b"},
        {"[!-\\\\]", "A", "]"},
        {"[a-]+", "-a", "b"},
        {"\\(a\\)", "(a)", "a"},
        {"a{2,}", "aaa", "a"},
        {"(ab){0,2}", "abab", "ababab"},
        {"a\\{b", "a{b", "ab"},
        {"a}b", "a}b", "ab"},
        {"(|a)b", "b", "aab"},
        {"caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3"},
        {"a..b",
         "a\xc3\xa9"
         "b",
         "a\xc3"
         "b"},
        {"# a", "# a", ""},
        {"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01234567-89ab-cdef-0123-456789abcdef",
         "01234567-89ab-cdef-0123-456789abcdef\n"},
    };

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct config_pattern *pattern = compile(tries[i][0]);

        if (!config_pattern_matches(pattern, tries[i][1]))
            fail_msg("%s does not match %s", tries[i][0], tries[i][1]);
        if (config_pattern_matches(pattern, tries[i][2]))
            fail_msg("%s matches %s", tries[i][0], tries[i][2]);
        config_pattern_destroy(pattern);
    }
}

TEST(test_refused)
{
    static const char *const refused[][2] = {
        {"", "empty"},
        /* steps around anchors, and what is not closed */
        {"a)|(b", "parenthes"},
        {"a)|b(c)", "parenthes"},
        {"(a", "parenthes"},
        {"[a", "close its"},
        {"[[:alpha:]", "close its"},
        {"[]", "close its"},
        {"[^]", "close its"},
        {"a\\", "backslash"},
        {"((((((((((((((((((a))))))))))))))))))", "nested"},
        /* of PCRE only, or of GNU only */
        {"(a)\\1", "refer back"},
        {"\\d+", "[[:digit:]]"},
        {"\\w", "[[:alnum:]_]"},
        {"\\bfoo", "backslash"},
        {"\\Aa\\z", "backslash"},
        {"\\x41", "backslash"},
        {"\\Qa+\\E", "backslash"},
        {"\\n", "backslash"},
        {"\\0", "backslash"},
        {"\\<a\\>", "backslash"},
        {"\\`a\\'", "backslash"},
        {"(?i)a", "to repeat"},
        {"(?=a)a", "to repeat"},
        {"(?:a)", "to repeat"},
        {"(?#a)", "to repeat"},
        {"(?R)", "to repeat"},
        {"(*UTF)a", "to repeat"},
        {"(*ACCEPT)", "to repeat"},
        {"a+?", "to repeat"},
        {"a*?", "to repeat"},
        {"a??", "to repeat"},
        {"a++", "to repeat"},
        {"a*+", "to repeat"},
        {"a**", "to repeat"},
        {"a{2}?", "to repeat"},
        {"a{2}{3}", "to repeat"},
        {"+", "to repeat"},
        {"a|*b", "to repeat"},
        {"^*a", "to repeat"},
        {"a^b", "whole value begins"},
        {"$a", "it ends"},
        {"(^a)", "whole value begins"},
        {"(a$)b", "it ends"},
        {"a\\|^b", "whole value begins"},
        {"a$?", "it ends"},
        /* brackets */
        {"[\\d]", "in a bracket"},
        {"[a\\-z]", "in a bracket"},
        {"[\\]]", "in a bracket"},
        {"[^\\n]", "in a bracket"},
        {"[[.a.]]", "[. .]"},
        {"[[=a=]]", "[= =]"},
        {"[[:word:]]", "class"},
        {"[[:^alpha:]]", "class"},
        {"[[:<:]]a", "class"},
        {"[a-c-e]", "- in a bracket"},
        {"[a-[:digit:]]", "- in a bracket"},
        {"[[:digit:]-z]", "- in a bracket"},
        {"[--a]", "- in a bracket"},
        {"[a-", "close its"},
        {"[[:alpha]", "class"},
        {"[z-a]", "byte 3"},
        {"[\xc3\xa9]", "ASCII"},
        /* braces */
        {"a{", "brace"},
        {"a{,3}", "brace"},
        {"a{1,2", "brace"},
        {"a{ 1}", "brace"},
        {"a{1, 2}", "brace"},
        {"a{+1}", "brace"},
        {"a{10000}", "brace"},
        {"a{3,2}", "byte"},
        {"{2}", "to repeat"},
        /* more than there is room for */
        {"((((a{99}){99}){99}){99}){99}", "too large"},
        {"(((ab){9}){999}){999}", "too large"},
    };
    char longest[CONFIG_PATTERN_BYTES_MAX + 2], why[CONFIG_PATTERN_WHY_SIZE];
    struct config_pattern *pattern;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (config_pattern_compile(refused[i][0], &pattern, why) != ERROR_INVALID)
            fail_msg("\"%s\" compiles", refused[i][0]);
        if (strstr(why, refused[i][1]) == NULL)
            fail_msg("\"%s\" %s", refused[i][0], why);
    }
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(config_pattern_compile(longest, &pattern, why), ERROR_INVALID);
    longest[sizeof(longest) - 2] = '\0';
    config_pattern_destroy(compile(longest));
}

/* What regcomp() needs gigabytes for, or minutes. */
TEST(test_compiles_at_once)
{
    static const char *const patterns[] = {
        "((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
        "a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}a{1000}",
        "((((((((a|b)*|c)*|d)*|e)*|f)*|g)*|h)*|i)*",
        "((((((((a?){2}){2}){2}){2}){2}){2}){2}){2}",
    };

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        config_pattern_destroy(compile(patterns[i]));
}

/* A value on which a pattern backtracks without end is no match, whatever it would be. */
TEST(test_limit_is_no_match)
{
    struct config_pattern *pattern = compile("(a*)*b");
    char value[4096];

    assert_true(config_pattern_matches(pattern, "aaaab"));
    memset(value, 'a', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_false(config_pattern_matches(pattern, value));
    config_pattern_destroy(pattern);

    /* The longest values that come, on patterns that people write. */
    pattern = compile("([a-z]+-)*[a-z]+");
    assert_true(config_pattern_matches(pattern, value));
    for (size_t i = 1; i + 2 < sizeof(value); i += 2)
        value[i] = '-';
    assert_true(config_pattern_matches(pattern, value));
    config_pattern_destroy(pattern);
    pattern = compile(".*");
    assert_true(config_pattern_matches(pattern, value));
    config_pattern_destroy(pattern);
}

/* ---- Against POSIX ---- */

static uint32_t random_state = 20130731;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

/* Pieces that are likely to make something of each other. */
static void random_pattern(char *out, size_t capacity)
{
    static const char *const pieces[] = {
        "a",
        "b",
        "ab",
        "-",
        ".",
        "a",
        "b",
        "(",
        ")",
        "(a",
        ")b",
        "|",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{0,2}",
        "{1,}",
        "{0}",
        "^",
        "$",
        "[ab]",
        "[^a]",
        "[a-b]",
        "[]a]",
        "[^]b]",
        "[[:alpha:]]",
        "[[:digit:]-]",
        "[-a]",
        "[a-]",
        "[",
        "]",
        "\\\\",
        "\\.",
        "\\(",
        "\\{",
        "\\-",
        "[\\\\a]",
        "[a-[:digit:]]",
        "[[a]",
        "}",
        "{",
        "\n",
        "\xc3\xa9",
        "\\]",
        "[[:alpha:]-z]",
        "[.-b]",
        "()",
        "[[=a=]]",
    };
    const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];

    *out = '\0';
    while (strlen(out) + strlen(piece) < capacity && random_below(8) != 0) {
        strcat(out, piece);
        piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
    }
}

static void random_value(char *out, size_t capacity)
{
    static const char bytes[] = "aaaabbbb-.]\\(^1\n\xc3\xa9z{";
    size_t length = random_below((uint32_t)capacity);

    for (size_t i = 0; i < length; i++)
        out[i] = bytes[random_below(sizeof(bytes) - 1)];
    out[length] = '\0';
}

TEST(test_means_what_posix_means)
{
    size_t accepted = 0, matches = 0;

    for (size_t i = 0; i < RANDOM_PATTERNS; i++) {
        char text[RANDOM_PATTERN_BYTES], anchored[RANDOM_PATTERN_BYTES + 8], value[8];
        char why[CONFIG_PATTERN_WHY_SIZE];
        struct config_pattern *pattern;
        regex_t posix;

        random_pattern(text, sizeof(text));
        if (config_pattern_compile(text, &pattern, why) != OK)
            continue;
        accepted++;
        snprintf(anchored, sizeof(anchored), "^(%s)$", text);
        if (regcomp(&posix, anchored, REG_EXTENDED | REG_NOSUB) != 0)
            fail_msg("POSIX has no \"%s\"", text);
        for (size_t j = 0; j < VALUES_A_PATTERN; j++) {
            bool ours, theirs;

            random_value(value, sizeof(value));
            ours = config_pattern_matches(pattern, value);
            theirs = regexec(&posix, value, 0, NULL, 0) == 0;
            if (ours != theirs)
                fail_msg("\"%s\" and \"%s\": a match %s", text, value,
                         ours ? "here only" : "to POSIX only");
            matches += ours;
        }
        regfree(&posix);
        config_pattern_destroy(pattern);
    }
    assert_true(accepted >= RANDOM_ACCEPTED_MIN);
    assert_true(matches >= RANDOM_MATCHES_MIN);
}
