/* zsh: calls of _arguments, and what _describe shows. */
#include "manual/shells.h"

#include "manual/choices.h"
#include "manual/verbs.h"

#include <string.h>

static const char *zsh_action(enum choice choice)
{
    switch (choice) {
    case CHOICE_FILE:
        return "_files";
    case CHOICE_FOLDER:
        return "_files -/";
    case CHOICE_SURFACE:
        return "_sidelock_surfaces";
    default:
        return " ";
    }
}

static void zsh_option(FILE *out, const struct args_option *option)
{
    fprintf(out, " \\\n          '%s%s[", option->list != NULL ? "*" : "", option->name);
    shell_quoted(out, option->about, "[]:\\");
    fputc(']', out);
    if (option->takes != NULL) {
        fputc(':', out);
        shell_quoted(out, option->takes, "[]:\\");
        fputc(':', out);
        if (choice_of(option) == CHOICE_WORDS) {
            fputc('(', out);
            shell_words(out, option->takes);
            fputc(')', out);
        } else {
            fputs(zsh_action(choice_of(option)), out);
        }
    }
    fputc('\'', out);
}

static void zsh_call(const struct verbs_task *task, const struct args_shape *shape,
                     const struct args_action *action)
{
    const char *name = action != NULL ? action->name : NULL;

    fputs("_arguments -s", task->out);
    for (size_t i = 0; i < shape->option_count; i++) {
        if (choice_takes(action, &shape->options[i]))
            zsh_option(task->out, &shape->options[i]);
    }
    if (choice_first(task->verb, name) != CHOICE_ANYTHING)
        fprintf(task->out, " \\\n          '1:argument:%s'",
                zsh_action(choice_first(task->verb, name)));
    if (choice_of_command(task->verb))
        fputs(" \\\n          '*:::command:_normal'", task->out);
    fputs(" ;;\n", task->out);
}

static void zsh_verb(void *context, const struct args_shape *shape)
{
    const struct verbs_task *task = context;

    fprintf(task->out, "    %s)\n", task->verb->name);
    if (shape->action_count == 0) {
        fputs("      ", task->out);
        zsh_call(task, shape, NULL);
        return;
    }
    fputs("      _arguments -C '1:action:(", task->out);
    for (size_t i = 0; i < shape->action_count; i++)
        fprintf(task->out, "%s%s", i > 0 ? " " : "", shape->actions[i].name);
    fputs(")' '*::argument:->argument' && return\n      case $words[1] in\n", task->out);
    for (size_t i = 0; i < shape->action_count; i++) {
        fprintf(task->out, "        %s) ", shape->actions[i].name);
        zsh_call(task, shape, &shape->actions[i]);
    }
    fputs("      esac ;;\n", task->out);
}

void zsh_calls_list(FILE *out)
{
    verbs_each(out, zsh_verb);
}

void zsh_verbs_list(FILE *out)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (verb->page == NULL)
            continue;
        fprintf(out, "    '%s:", verb->name);
        shell_quoted(out, verb->summary, ":\\");
        fputs("'\n", out);
    }
}
