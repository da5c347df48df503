/* bash: rows of `case`, and lists of words. */
#include "manual/shells.h"

#include "manual/choices.h"
#include "manual/verbs.h"

#include <string.h>

/* As the functions of the page call it. */
static const char *choice_name(enum choice choice)
{
    static const char *const names[] = {[CHOICE_ANYTHING] = "",
                                        [CHOICE_FILE] = "file",
                                        [CHOICE_FOLDER] = "folder",
                                        [CHOICE_SURFACE] = "surface",
                                        [CHOICE_WORDS] = "words"};

    return names[choice];
}

static void bash_options(const struct verbs_task *task, const struct args_shape *shape,
                         const struct args_action *action)
{
    fprintf(task->out, "    '%s %s') options='", task->verb->name,
            action != NULL ? action->name : "");
    for (size_t i = 0; i < shape->option_count; i++) {
        if (choice_takes(action, &shape->options[i]))
            fprintf(task->out, "%s ", shape->options[i].name);
    }
    fprintf(task->out, "' first='%s' ;;\n",
            choice_name(choice_first(task->verb, action != NULL ? action->name : NULL)));
}

static void bash_calls(void *context, const struct args_shape *shape)
{
    const struct verbs_task *task = context;

    for (size_t i = 0; i < shape->action_count; i++)
        bash_options(task, shape, &shape->actions[i]);
    if (shape->action_count == 0)
        bash_options(task, shape, NULL);
}

static void bash_actions(void *context, const struct args_shape *shape)
{
    const struct verbs_task *task = context;

    if (shape->action_count == 0)
        return;
    fprintf(task->out, "    %s) actions='", task->verb->name);
    for (size_t i = 0; i < shape->action_count; i++)
        fprintf(task->out, "%s ", shape->actions[i].name);
    fputs("' ;;\n", task->out);
}

static void bash_values(void *context, const struct args_shape *shape)
{
    const struct verbs_task *task = context;

    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];

        if (option->takes == NULL)
            continue;
        fprintf(task->out, "    '%s %s') takes='%s' words='", task->verb->name, option->name,
                choice_name(choice_of(option)));
        if (choice_of(option) == CHOICE_WORDS)
            shell_words(task->out, option->takes);
        fputs("' ;;\n", task->out);
    }
}

void bash_values_list(FILE *out)
{
    verbs_each(out, bash_values);
}

void bash_calls_list(FILE *out)
{
    verbs_each(out, bash_calls);
}

void bash_actions_list(FILE *out)
{
    verbs_each(out, bash_actions);
}

void bash_verbs_list(FILE *out)
{
    fputs("_sidelock_verbs='", out);
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page != NULL)
            fprintf(out, "%s ", verb->name);
    }
    fputs("'\n_sidelock_commands='", out);
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page != NULL && choice_of_command(verb))
            fprintf(out, "%s ", verb->name);
    }
    fputs("'\n", out);
}
