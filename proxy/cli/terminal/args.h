/*
 * Command lines: options in any order between operands, `--name VALUE`,
 * `--name=VALUE`, and `--` to end them.
 */
#pragma once

#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>

#define ARGS_OPERANDS_MAX 8
#define ARGS_LIST_MAX     64 /* of one option */

/* A table and how many rows it has. */
#define ARGS_TABLE(table) (table), sizeof(table) / sizeof((table)[0])

/* One option. Exactly one of the three targets is set. */
struct args_option {
    const char *name; /* "--json", "-c" */
    const char
        *takes; /* what its value is called: "FILE", or its values: "md|json"; NULL: a flag */
    const char *about; /* a phrase, for `help`, the manual and the completions of shells */
    bool *flag;
    const char **value;
    struct text_list *list; /* may be given ARGS_LIST_MAX times; the caller clears it */
    unsigned group;         /* only for actions that take it; 0: for all */
};

struct args {
    const char *operands[ARGS_OPERANDS_MAX + 1]; /* ends with NULL */
    size_t operand_count;
};

/*
 * Reads argv[1..]. EX_OK, or EX_USAGE after saying on stderr what is wrong and
 * how to get help. The number of operands must lie between the two bounds.
 */
int args_parse(int argc, char **argv, const struct args_option *options, size_t option_count,
               size_t operands_min, size_t operands_max, struct args *out);

/* One of the things that a verb does: `sidelock VERB ACTION ...`. */
struct args_action {
    const char *name;
    size_t operands_min, operands_max; /* after the action */
    unsigned takes;                    /* the groups of options that are for it */
    const char *first;                 /* what the first operand names, as for args_name; or NULL */
    int (*run)(void *context, const struct args *args);
};

/*
 * The same for a verb with actions, of which it runs one with the operands after the action.
 * Returns its exit code.
 */
int args_run(int argc, char **argv, const struct args_option *options, size_t option_count,
             const struct args_action *actions, size_t action_count, void *context);

/* What a verb takes, as its own tables say; borrowed for the time of the call. */
struct args_shape {
    const struct args_option *options;
    size_t option_count;
    const struct args_action *actions; /* NULL: it has none */
    size_t action_count;
};

/*
 * Has a verb tell its tables instead of reading a command line: it is run with none, and does
 * nothing but that, for every verb begins with args_parse() or args_run().
 */
void args_describe(int (*run)(int argc, char **argv), const char *verb,
                   void (*told)(void *context, const struct args_shape *shape), void *context);

/* Says what is wrong with a command line; returns EX_USAGE. */
int args_usage(const char *verb, const char *format, ...) PRINTF_LIKE(2, 3);
/* "sidelock: ...": one sentence on stderr; returns `code`. */
int args_fail(int code, const char *format, ...) PRINTF_LIKE(2, 3);
int args_fail_list(int code, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

/* Whether it can name `what` ("the name of a surface"). EX_OK, or EX_DATAERR after saying not. */
int args_name(const char *text, const char *what);
/* A whole decimal number from 0 to `max`. */
bool args_number(const char *text, uint64_t max, uint64_t *out);
/* Seconds of "90", "90s", "15m", "2h", "7d". */
bool args_duration(const char *text, int64_t *seconds);
