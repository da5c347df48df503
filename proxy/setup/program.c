#include "setup/program.h"

#include "base/text.h"
#include "system/trusted_path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

enum error program_fault(struct service_fault *fault, const char *member, const char *format, ...)
{
    va_list arguments;

    snprintf(fault->member, sizeof(fault->member), "%s", member);
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof(fault->text), format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

const char *program_variable(const struct environment *environment, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < environment->count; i++) {
        const char *item = environment->items[i];

        if (strncmp(item, name, length) == 0 && item[length] == '=')
            return item + length + 1;
    }
    return NULL;
}

static bool is_program(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && (facts.st_mode & 0111) != 0;
}

bool program_look(const char *name, const struct environment *environment, char out[PATH_MAX])
{
    const char *path = program_variable(environment, "PATH");
    struct span rest = span_of(path != NULL ? path : USUAL_PATH);

    while (rest.data != NULL) {
        struct span directory = span_split(&rest, ':');

        if (directory.length == 0 || directory.data[0] != '/' ||
            snprintf(out, PATH_MAX, "%.*s/%s", (int)directory.length, directory.data, name) >=
                PATH_MAX)
            continue;
        if (is_program(out))
            return true;
    }
    return false;
}

enum error program_judge(const char *path, const char *member, struct service_fault *fault)
{
    struct trusted_path place;
    bool changeable = false, there;

    if (!is_program(path))
        return program_fault(fault, member, "%.200s is no program that can be run.", path);
    there = trusted_path_survey(path, &place, &changeable);
    if (there)
        trusted_path_close(&place);
    if (!there || changeable)
        return program_fault(fault, member,
                             "Others than root and the user who runs Sidelock can change %.200s, "
                             "or the way to it.",
                             path);
    return OK;
}
