/* fish: a call of `complete` for each word that may stand somewhere. */
#include "manual/shells.h"

#include "manual/choices.h"
#include "manual/verbs.h"

#include <string.h>

static void fish_value(FILE *out, enum choice choice, const char *words)
{
    switch (choice) {
    case CHOICE_FILE:
        fputs(" -r -F", out);
        break;
    case CHOICE_FOLDER:
        fputs(" -x -a '(__fish_complete_directories)'", out);
        break;
    case CHOICE_SURFACE:
        fputs(" -x -a '(__sidelock_surfaces)'", out);
        break;
    case CHOICE_WORDS:
        fputs(" -x -a '", out);
        shell_words(out, words);
        fputc('\'', out);
        break;
    case CHOICE_ANYTHING:
        fputs(" -x", out);
        break;
    }
}

/* `complete`, for when the verb, and one of the actions that take an option, have been typed. */
static void fish_when(const struct verbs_task *task, const struct args_shape *shape,
                      const struct args_option *option, const char *action)
{
    fprintf(task->out, "complete -c sidelock -n '__fish_seen_subcommand_from %s", task->verb->name);
    if (action != NULL)
        fprintf(task->out, "; and __fish_seen_subcommand_from %s", action);
    if (option != NULL && option->group != 0) {
        fputs("; and __fish_seen_subcommand_from", task->out);
        for (size_t i = 0; i < shape->action_count; i++) {
            if (choice_takes(&shape->actions[i], option))
                fprintf(task->out, " %s", shape->actions[i].name);
        }
    }
    fputc('\'', task->out);
}

static void fish_first(const struct verbs_task *task, const struct args_shape *shape,
                       const char *action)
{
    enum choice choice = choice_first(task->verb, action);

    if (choice == CHOICE_ANYTHING)
        return;
    fish_when(task, shape, NULL, action);
    fputs(choice == CHOICE_SURFACE ? " -a '(__sidelock_surfaces)'\n" : " -F\n", task->out);
}

static void fish_verb(void *context, const struct args_shape *shape)
{
    const struct verbs_task *task = context;

    for (size_t i = 0; i < shape->action_count; i++) {
        fprintf(task->out,
                "complete -c sidelock -n '__fish_seen_subcommand_from %s; and not "
                "__fish_seen_subcommand_from",
                task->verb->name);
        for (size_t j = 0; j < shape->action_count; j++)
            fprintf(task->out, " %s", shape->actions[j].name);
        fprintf(task->out, "' -a %s\n", shape->actions[i].name);
        fish_first(task, shape, shape->actions[i].name);
    }
    if (shape->action_count == 0)
        fish_first(task, shape, NULL);
    for (size_t i = 0; i < shape->option_count; i++) {
        const struct args_option *option = &shape->options[i];

        fish_when(task, shape, option, NULL);
        if (option->name[1] == '-')
            fprintf(task->out, " -l %s", option->name + 2);
        else
            fprintf(task->out, " -s %s", option->name + 1);
        if (option->takes != NULL)
            fish_value(task->out, choice_of(option), option->takes);
        fputs(" -d '", task->out);
        shell_quoted(task->out, option->about, "\\");
        fputs("'\n", task->out);
    }
}

void fish_calls_list(FILE *out)
{
    verbs_each(out, fish_verb);
}

void fish_verbs_list(FILE *out)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page == NULL)
            continue;
        fprintf(out, "complete -c sidelock -n __fish_use_subcommand -a %s -d '", verb->name);
        shell_quoted(out, verb->summary, "\\");
        fputs("'\n", out);
    }
}
