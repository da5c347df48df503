#include "config/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPEAT_MAX        1000
#define REPEAT_NESTED_MAX 3
#define ANCHOR_BYTES      4 /* ^( and )$ */

/*
 * What the C library will build, estimated in atoms, one level for each open
 * group. It writes repetitions out, so nested ones multiply.
 */
struct survey {
    const char *at;
    uint32_t before[CONFIG_PATTERN_DEPTH_MAX + 1]; /* all atoms of the level but the last */
    uint32_t last[CONFIG_PATTERN_DEPTH_MAX + 1];   /* the atom a repetition would apply to */
    uint8_t nested[CONFIG_PATTERN_DEPTH_MAX + 1];  /* repetitions within repetitions there */
    uint8_t deepest[CONFIG_PATTERN_DEPTH_MAX + 1]; /* the most of them so far in the level */
    unsigned depth;
    const char *why;
};

static bool survey_add(struct survey *survey, uint32_t atoms)
{
    survey->before[survey->depth] += survey->last[survey->depth];
    survey->last[survey->depth] = atoms;
    if (survey->deepest[survey->depth] < survey->nested[survey->depth])
        survey->deepest[survey->depth] = survey->nested[survey->depth];
    survey->nested[survey->depth] = 0;
    if (survey->before[survey->depth] + atoms > CONFIG_PATTERN_STATES_MAX)
        survey->why = "must repeat less: its repetitions multiply";
    return survey->why == NULL;
}

static bool survey_repeat(struct survey *survey, uint32_t times)
{
    uint32_t last = survey->last[survey->depth];
    uint8_t nested = (uint8_t)(survey->nested[survey->depth] + 1);

    /* The C library's time to compile explodes with repetitions of repetitions. */
    if (nested > REPEAT_NESTED_MAX) {
        survey->why = "must not repeat repetitions so deeply";
        return false;
    }
    if (times > 1 && last > 0) {
        survey->last[survey->depth] = 0;
        if (!survey_add(survey, last * times))
            return false;
    }
    survey->nested[survey->depth] = nested;
    return true;
}

static bool survey_escape(struct survey *survey)
{
    char escaped = survey->at[1];

    if (escaped == '\0')
        survey->why = "must not end in a backslash";
    else if (escaped >= '1' && escaped <= '9')
        survey->why = "must not refer back to a group (\\1 to \\9)";
    if (survey->why != NULL)
        return false;
    survey->at += 2;
    return survey_add(survey, 1);
}

/* [...]: a ']' first is itself, and [: :], [. .], [= =] may hold one (POSIX.1 section 9.3.5). */
static bool survey_bracket(struct survey *survey)
{
    const char *at = survey->at + 1;

    if (*at == '^')
        at++;
    if (*at == ']')
        at++;
    while (*at != '\0' && *at != ']') {
        if (*at == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '=')) {
            const char close[] = {at[1], ']', '\0'};
            const char *end = strstr(at + 2, close);

            if (end == NULL)
                break;
            at = end + 2;
        } else {
            at++;
        }
    }
    if (*at != ']') {
        survey->why = "must close its bracket";
        return false;
    }
    survey->at = at + 1;
    return survey_add(survey, 1);
}

/* A decimal number of at most four digits; false if there is none. */
static bool survey_number(const char **at, uint32_t *number)
{
    const char *start = *at;

    *number = 0;
    while (**at >= '0' && **at <= '9' && *at - start < 4)
        *number = *number * 10 + (uint32_t)(*(*at)++ - '0');
    return *at > start;
}

/* {m}, {m,} or {m,n}, and nothing else in braces. */
static bool survey_interval(struct survey *survey)
{
    const char *at = survey->at + 1;
    uint32_t least = 0, most = 0, times = 0;
    bool good = survey_number(&at, &least);

    most = times = least;
    if (good && *at == ',') {
        at++;
        if (survey_number(&at, &most))
            times = most;
        else
            times = (most = least) + 1;
    }
    if (!good || *at != '}') {
        survey->why = "must escape a brace that is not a repetition like {2} or {2,5}";
        return false;
    }
    if (most < least || most > REPEAT_MAX) {
        survey->why = "must repeat at most 1000 times, the smaller number first";
        return false;
    }
    survey->at = at + 1;
    return survey_repeat(survey, times);
}

static bool survey_open(struct survey *survey)
{
    if (survey->depth == CONFIG_PATTERN_DEPTH_MAX) {
        survey->why = "must not nest groups so deeply";
        return false;
    }
    survey->at++;
    survey->depth++;
    survey->before[survey->depth] = survey->last[survey->depth] = 0;
    survey->nested[survey->depth] = survey->deepest[survey->depth] = 0;
    return true;
}

static bool survey_close(struct survey *survey)
{
    uint32_t atoms;
    uint8_t nested;

    /* POSIX takes a stray ')' literally, which would let `a)|(b` step around our anchors. */
    if (survey->depth == 0) {
        survey->why = "must open a group before it closes it";
        return false;
    }
    atoms = survey->before[survey->depth] + survey->last[survey->depth];
    nested = survey->nested[survey->depth];
    if (nested < survey->deepest[survey->depth])
        nested = survey->deepest[survey->depth];
    survey->at++;
    survey->depth--;
    if (!survey_add(survey, atoms + 1))
        return false;
    survey->nested[survey->depth] = nested;
    return true;
}

static bool survey_step(struct survey *survey)
{
    switch (*survey->at) {
    case '\\':
        return survey_escape(survey);
    case '[':
        return survey_bracket(survey);
    case '{':
        return survey_interval(survey);
    case '(':
        return survey_open(survey);
    case ')':
        return survey_close(survey);
    case '+': /* written out as x x* */
        survey->at++;
        return survey_repeat(survey, 2);
    case '*':
    case '?':
        survey->at++;
        return survey_repeat(survey, 1);
    default:
        survey->at++;
        return survey_add(survey, 1);
    }
}

static const char *pattern_fault(const char *pattern)
{
    struct survey survey = {.at = pattern};

    if (*pattern == '\0')
        return "must not be empty";
    if (strlen(pattern) > CONFIG_PATTERN_BYTES_MAX)
        return "must not be longer than 256 bytes";
    while (*survey.at != '\0') {
        if (!survey_step(&survey))
            return survey.why;
    }
    return survey.depth > 0 ? "must close every group it opens" : NULL;
}

enum error config_pattern_compile(const char *pattern, regex_t *out, const char **why)
{
    char anchored[CONFIG_PATTERN_BYTES_MAX + ANCHOR_BYTES + 1];

    *why = pattern_fault(pattern);
    if (*why != NULL)
        return ERROR_INVALID;
    snprintf(anchored, sizeof(anchored), "^(%s)$", pattern);
    switch (regcomp(out, anchored, REG_EXTENDED | REG_NOSUB)) {
    case 0:
        return OK;
    case REG_ESPACE:
        memset(out, 0, sizeof(*out));
        return ERROR_MEMORY;
    default:
        memset(out, 0, sizeof(*out)); /* so that regfree() has nothing to do */
        *why = "must be a POSIX extended regular expression";
        return ERROR_INVALID;
    }
}
