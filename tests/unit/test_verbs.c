/* The table of verbs: what each says of itself, and what its options say. */
#include "cli/cmd.h"
#include "cli/terminal/args.h"

#include "unit.h"

#include <string.h>

static int run_of(const struct verb *verb, int argc, char **argv)
{
    return (verb->run != NULL ? verb->run : cmd_help)(argc, argv);
}

static void check_shape(void *context, const struct args_shape *shape)
{
    const struct verb **verb = context;

    assert_true(shape->option_count > 0);
    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];

        if (option->about == NULL || (option->takes == NULL) != (option->flag != NULL))
            fail_msg("%s %s: `about` it is missing, or `takes`", (*verb)->name, option->name);
    }
    *verb = NULL;
}

TEST(every_option_says_what_it_is_for)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        const struct verb *told = verb;

        if (verb->page == NULL)
            continue;
        args_describe(verb->run != NULL ? verb->run : cmd_help, verb->name, check_shape, &told);
        if (told != NULL)
            fail_msg("%s did something before it read its command line", verb->name);
    }
}

/* The first line of a page is how the verb is called, and the word after `sidelock` is its name. */
TEST(every_page_begins_with_how_its_verb_is_called)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        size_t length = strlen(verb->name);

        if (verb->page == NULL)
            continue;
        assert_memory_equal(verb->page, "sidelock ", 9);
        assert_memory_equal(verb->page + 9, verb->name, length);
        assert_non_null(strchr(" \n", verb->page[9 + length]));
        assert_non_null(verb->summary);
    }
}

/* Asked once, it is told once: a command line that follows is read. */
TEST(a_description_leaves_no_trace)
{
    char name[] = "help", wrong[] = "--wrong";
    char *argv[] = {name, wrong, NULL};
    const struct verb *told = verbs_find("help");

    args_describe(cmd_help, "help", check_shape, &told);
    assert_null(told);
    assert_int_equal(run_of(verbs_find("help"), 2, argv), 64);
}
