#include "manual/choices.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What stands in capitals, on pages of help and in tables of options. */
static const struct {
    const char *word;
    enum choice choice;
} words[] = {
    {"SURFACE", CHOICE_SURFACE}, {"FILE", CHOICE_FILE},  {"FILE|-", CHOICE_FILE},
    {"PATH", CHOICE_FILE},       {"DIR", CHOICE_FOLDER}, {"[LOG]", CHOICE_FILE},
    {"[LOG]...", CHOICE_FILE},
};

static enum choice choice_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].word) == length && memcmp(words[i].word, word, length) == 0)
            return words[i].choice;
    }
    return CHOICE_ANYTHING;
}

enum choice choice_of(const struct args_option *option)
{
    if (strchr(option->takes, '|') != NULL && islower((unsigned char)option->takes[0]))
        return CHOICE_WORDS;
    return choice_word(option->takes, strlen(option->takes));
}

bool choice_takes(const struct args_action *action, const struct args_option *option)
{
    return action == NULL || option->group == 0 || (option->group & action->takes) != 0;
}

/* The word behind "sidelock VERB ACTION" on its page, options passed over. */
enum choice choice_first(const struct verb *verb, const char *action)
{
    char call[128];
    const char *at;

    snprintf(call, sizeof(call), "sidelock %s%s%s", verb->name, action != NULL ? " " : "",
             action != NULL ? action : "");
    at = strstr(verb->page, call);
    if (at == NULL)
        return CHOICE_ANYTHING;
    for (at += strlen(call); *at == ' '; at += strcspn(at, " \n")) {
        at += strspn(at, " ");
        if (at[0] == '[' && at[1] == '-')
            at += strcspn(at, "]\n");
        else
            return choice_word(at, strcspn(at, " \n"));
    }
    return CHOICE_ANYTHING;
}

bool choice_of_command(const struct verb *verb)
{
    return strstr(verb->page, " -- CMD") != NULL;
}
