#include "config/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A match visits so many states at most (some milliseconds), and keeps so much of them. */
#define MATCH_STEPS_MAX 100000
#define MATCH_HEAP_KIB  1024

/* As POSIX.1: a dot is any byte, '$' only the very end; and never more than bytes. */
#define COMPILE_OPTIONS                                                                            \
    (PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |                    \
     PCRE2_NO_AUTO_CAPTURE | PCRE2_NO_START_OPTIMIZE | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |         \
     PCRE2_NEVER_BACKSLASH_C)

/* Matching writes to `match`; a process matches one value at a time. */
struct config_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

/* ---- What POSIX and PCRE2 read differently ---- */

/* Each step_ steps over what stands at *at, or says why it may not stand there. */

static const char *step_escape(const char **at)
{
    char escaped = (*at)[1];

    if (escaped == '\0')
        return "must not end in a backslash";
    if (escaped >= '1' && escaped <= '9')
        return "must not refer back to a group (\\1 to \\9)";
    if (strchr("<>`'", escaped) != NULL || (escaped >= '0' && escaped <= '9') ||
        (escaped >= 'A' && escaped <= 'Z') || (escaped >= 'a' && escaped <= 'z'))
        return "must have a backslash only before punctuation that stands for itself: write "
               "[[:digit:]] for \\d, [[:alnum:]_] for \\w, [[:space:]] for \\s";
    *at += 2;
    return NULL;
}

/* Behind [:name:], which `at` begins; NULL if it is no class that both know. */
static const char *class_end(const char *at)
{
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "xdigit"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);

        if (at[1] == ':' && strncmp(at + 2, names[i], length) == 0 &&
            strncmp(at + 2 + length, ":]", 2) == 0)
            return at + 2 + length + 2;
    }
    return NULL;
}

/* One character or class of a bracket; *single: it may begin or end a range. */
static const char *step_member(const char **at, bool *single)
{
    const char *next = *at;

    *single = true;
    if (*next == '\0')
        return "must close its bracket";
    if ((unsigned char)*next >= 0x80)
        return "must not have letters beyond ASCII in a bracket: it matches single bytes";
    if (*next == '\\' && *++next != '\\')
        return "must not escape in a bracket: there every character but \\ stands for itself, a ] "
               "first, a - last, and \\\\ is a backslash";
    if (*next == '[' && next[1] != '\0' && strchr(":.=", next[1]) != NULL) {
        *single = false;
        *at = class_end(next);
        return *at != NULL ? NULL
                           : "must close what begins with [: as a class like [:digit:], and have "
                             "no [. .] or [= =]";
    }
    *at = next + 1;
    return NULL;
}

/* [...]: a ']' first is itself, and so is a '-' first or last (POSIX.1 section 9.3.5). */
static const char *step_bracket(const char **at)
{
    bool ranges = false; /* a range may begin with what stands before */
    const char *why;

    *at += (*at)[1] == '^' ? 2 : 1;
    if (**at == ']' || **at == '-') {
        ranges = **at == ']';
        ++*at;
    }
    while (**at != ']') {
        if (**at != '-' || (*at)[1] == ']') {
            why = step_member(at, &ranges);
        } else {
            bool single;

            ++*at;
            why = step_member(at, &single);
            if (why == NULL && (!ranges || !single))
                why = "must have a - in a bracket first, last or between two characters";
            ranges = false;
        }
        if (why != NULL)
            return why;
    }
    ++*at;
    return NULL;
}

/* {m}, {m,} or {m,n}, and nothing else in braces. */
static const char *step_interval(const char **at)
{
    const char *next = *at + 1;
    size_t least = strspn(next, "0123456789"), most = 0;

    next += least;
    if (*next == ',') {
        most = strspn(++next, "0123456789");
        next += most;
    }
    if (least == 0 || least > 4 || most > 4 || *next != '}')
        return "must escape a brace that is not a repetition like {2} or {2,5}, of 9999 at most";
    *at = next + 1;
    return NULL;
}

/* Where reading is. */
struct place {
    const char *at;
    unsigned depth;  /* of open groups */
    bool begins;     /* an alternative begins here */
    bool repeatable; /* something stands before that can be repeated */
};

static const char *step_repetition(struct place *place)
{
    if (*place->at == '{') {
        const char *why = step_interval(&place->at);

        if (why != NULL)
            return why;
    } else {
        place->at++;
    }
    return place->repeatable ? NULL
                             : "must have something to repeat before each *, +, ? and {}: put a "
                               "repetition that is repeated in parentheses";
}

static const char *step_anchor(struct place *place)
{
    bool begins = *place->at++ == '^';

    if (place->depth > 0 || (begins ? !place->begins : *place->at != '\0' && *place->at != '|'))
        return "must have ^ only where a whole value begins and $ only where it ends: it matches "
               "whole values without them";
    return NULL;
}

static const char *step(struct place *place)
{
    char here = *place->at;

    switch (here) {
    case '\\':
        return step_escape(&place->at);
    case '[':
        return step_bracket(&place->at);
    case '*':
    case '+':
    case '?':
    case '{':
        return step_repetition(place);
    case '^':
    case '$':
        return step_anchor(place);
    case '(':
        place->depth++;
        break;
    case ')':
        place->depth -= place->depth > 0; /* PCRE2 refuses one too many */
        break;
    }
    place->at++;
    return NULL;
}

static const char *difference(const char *text)
{
    struct place place = {.at = text, .begins = true};

    if (*text == '\0')
        return "must not be empty";
    if (strlen(text) > CONFIG_PATTERN_BYTES_MAX)
        return "must not be longer than 256 bytes";
    while (*place.at != '\0') {
        char here = *place.at;
        const char *why = step(&place);

        if (why != NULL)
            return why;
        place.begins = here == '|';
        place.repeatable = strchr("(|^$*+?{", here) == NULL;
    }
    return NULL;
}

/* ---- Compiling and matching ---- */

static enum error compile(const char *text, pcre2_code **out, char why[CONFIG_PATTERN_WHY_SIZE])
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR message[128] = "";
    size_t place;
    int code;

    if (context == NULL)
        return ERROR_MEMORY;
    pcre2_set_parens_nest_limit(context, CONFIG_PATTERN_DEPTH_MAX);
    *out = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, COMPILE_OPTIONS, &code, &place,
                         context);
    pcre2_compile_context_free(context);
    if (*out != NULL)
        return OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return ERROR_MEMORY;
    pcre2_get_error_message(code, message, sizeof(message));
    snprintf(why, CONFIG_PATTERN_WHY_SIZE, "must be mended at byte %zu: %s", place,
             (const char *)message);
    return ERROR_INVALID;
}

enum error config_pattern_compile(const char *text, struct config_pattern **out,
                                  char why[CONFIG_PATTERN_WHY_SIZE])
{
    const char *different = difference(text);
    struct config_pattern *pattern;
    enum error error;

    if (different != NULL) {
        snprintf(why, CONFIG_PATTERN_WHY_SIZE, "%s", different);
        return ERROR_INVALID;
    }
    pattern = calloc(1, sizeof(*pattern));
    if (pattern == NULL)
        return ERROR_MEMORY;
    error = compile(text, &pattern->code, why);
    if (error == OK) {
        pattern->match = pcre2_match_data_create(1, NULL);
        pattern->limits = pcre2_match_context_create(NULL);
        if (pattern->match == NULL || pattern->limits == NULL)
            error = ERROR_MEMORY;
    }
    if (error != OK) {
        config_pattern_destroy(pattern);
        return error;
    }
    pcre2_set_match_limit(pattern->limits, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(pattern->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(pattern->limits, MATCH_HEAP_KIB);
    *out = pattern;
    return OK;
}

bool config_pattern_matches(const struct config_pattern *pattern, const char *value)
{
    return pcre2_match(pattern->code, (PCRE2_SPTR)value, strlen(value), 0, PCRE2_NO_JIT,
                       pattern->match, pattern->limits) >= 0;
}

void config_pattern_destroy(struct config_pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    free(pattern);
}
