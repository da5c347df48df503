#include "cli/terminal/args.h"

#include "cli/terminal/shown.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Who wants to know what a verb takes, in the place of having it run; NULL: nobody. */
static struct {
    void (*told)(void *context, const struct args_shape *shape);
    void *context;
} asked;

/* Whether the tables were asked for. They are told once. */
static bool tell(const struct args_shape *shape)
{
    void (*told)(void *, const struct args_shape *) = asked.told;

    asked.told = NULL;
    if (told != NULL)
        told(asked.context, shape);
    return told != NULL;
}

void args_describe(int (*run)(int argc, char **argv), const char *verb,
                   void (*told)(void *context, const struct args_shape *shape), void *context)
{
    char *argv[] = {(char *)(uintptr_t)verb, NULL};

    asked.told = told;
    asked.context = context;
    run(1, argv);
    asked.told = NULL;
}

int args_fail_list(int code, const char *format, va_list arguments)
{
    char *text = NULL;

    /* It may quote what a running gate says, or a file. */
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    fputs("sidelock: ", stderr);
    shown_text(stderr, text != NULL ? text : "out of memory");
    fputc('\n', stderr);
    free(text);
    return code;
}

int args_fail(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    args_fail_list(code, format, arguments);
    va_end(arguments);
    return code;
}

int args_usage(const char *verb, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return args_fail(EX_USAGE, "%s: %s; see `sidelock help %s`", verb, text, verb);
}

static const struct args_option *find(const struct args_option *options, size_t count,
                                      const char *argument, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == length && memcmp(options[i].name, argument, length) == 0)
            return &options[i];
    }
    return NULL;
}

/* Reads one option at argv[*index] and moves *index to what it used last. */
static int read_option(int argc, char **argv, int *index, const struct args_option *options,
                       size_t count)
{
    const char *argument = argv[*index];
    const char *equals = argument[1] == '-' ? strchr(argument, '=') : NULL;
    size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    const struct args_option *option = find(options, count, argument, length);
    const char *value;

    if (option == NULL)
        return args_usage(argv[0], "there is no option %.*s", (int)length, argument);
    if (option->flag != NULL) {
        if (equals != NULL)
            return args_usage(argv[0], "%s takes no value", option->name);
        *option->flag = true;
        return EX_OK;
    }
    if (equals != NULL)
        value = equals + 1;
    else if (*index + 1 < argc)
        value = argv[++*index];
    else
        return args_usage(argv[0], "%s needs a value", option->name);
    if (option->value != NULL) {
        if (*option->value != NULL)
            return args_usage(argv[0], "%s is given twice", option->name);
        *option->value = value;
        return EX_OK;
    }
    if (option->list->count == ARGS_LIST_MAX)
        return args_usage(argv[0], "%s is given more than %d times", option->name, ARGS_LIST_MAX);
    if (text_list_add(option->list, value, strlen(value)) != OK)
        return args_fail(EX_OSERR, "out of memory");
    return EX_OK;
}

int args_parse(int argc, char **argv, const struct args_option *options, size_t option_count,
               size_t operands_min, size_t operands_max, struct args *out)
{
    struct args args = {.operand_count = 0};
    bool ended = false;

    if (tell(&(struct args_shape){.options = options, .option_count = option_count}))
        return EX_USAGE;
    for (int i = 1; i < argc; i++) {
        int code;

        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (!ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            code = read_option(argc, argv, &i, options, option_count);
            if (code != EX_OK)
                return code;
        } else if (args.operand_count == operands_max || args.operand_count == ARGS_OPERANDS_MAX) {
            return args_usage(argv[0], "%s is one argument too many", argv[i]);
        } else {
            args.operands[args.operand_count++] = argv[i];
        }
    }
    if (args.operand_count < operands_min)
        return args_usage(argv[0], "an argument is missing");
    *out = args;
    return EX_OK;
}

int args_name(const char *text, const char *what)
{
    return text_is_name(text) ? EX_OK : args_fail(EX_DATAERR, "%s is not %s", text, what);
}

static bool is_given(const struct args_option *option)
{
    return (option->flag != NULL && *option->flag) ||
           (option->value != NULL && *option->value != NULL) ||
           (option->list != NULL && option->list->count > 0);
}

static const struct args_action *find_action(const struct args_action *actions, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

int args_run(int argc, char **argv, const struct args_option *options, size_t option_count,
             const struct args_action *actions, size_t action_count, void *context)
{
    const struct args_action *found;
    struct args args = {.operand_count = 0};
    int code;

    if (tell(&(struct args_shape){options, option_count, actions, action_count}))
        return EX_USAGE;
    code = args_parse(argc, argv, options, option_count, 1, ARGS_OPERANDS_MAX, &args);
    if (code != EX_OK || args.operands[0] == NULL)
        return code;
    found = find_action(actions, action_count, args.operands[0]);
    if (found == NULL)
        return args_usage(argv[0], "there is no `%s %s`", argv[0], args.operands[0]);
    args.operand_count--;
    memmove(args.operands, args.operands + 1, sizeof(args.operands) - sizeof(args.operands[0]));
    if (args.operand_count < found->operands_min || args.operand_count > found->operands_max)
        return args_usage(argv[0], "`%s %s` takes %zu argument%s", argv[0], found->name,
                          found->operands_max, found->operands_max == 1 ? "" : "s");
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].group != 0 && (options[i].group & found->takes) == 0 &&
            is_given(&options[i]))
            return args_usage(argv[0], "`%s %s` does not take %s", argv[0], found->name,
                              options[i].name);
    }
    if (found->first != NULL && args.operand_count > 0)
        code = args_name(args.operands[0], found->first);
    return code == EX_OK ? found->run(context, &args) : code;
}

bool args_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value;

    if (!text_number(span_of(text), 19, &value) || value > max)
        return false;
    *out = value;
    return true;
}

bool args_duration(const char *text, int64_t *seconds)
{
    static const char units[] = "smhd";
    static const int64_t factors[] = {1, 60, 3600, 24 * 3600};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : units;
    uint64_t value;

    if (unit == NULL || (text[digits] != '\0' && text[digits + 1] != '\0') ||
        !text_number((struct span){text, digits}, 9, &value))
        return false;
    *seconds = (int64_t)value * factors[unit - units];
    return true;
}
