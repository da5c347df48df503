#include "launch/supervise/program.h"

#include "base/log.h"

#include <stdio.h>

void program_note(struct program *program, const char *path)
{
    program->told = false;
    snprintf(program->path, sizeof(program->path), "%s", path);
    if (stat(path, &program->facts) < 0)
        program->facts = (struct stat){.st_ino = 0};
}

/* Also where nothing is known of it. */
static bool is_the_same(const struct program *program)
{
    const struct stat *then = &program->facts;
    struct stat now;

    if (then->st_ino == 0)
        return true;
    return stat(program->path, &now) == 0 && now.st_dev == then->st_dev &&
           now.st_ino == then->st_ino && now.st_size == then->st_size &&
           now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

bool program_was_replaced(struct program *program, const char *surface, char why[WHY_SIZE])
{
    if (program->told || is_the_same(program))
        return false;
    program->told = true;
    snprintf(why, WHY_SIZE,
             "its program %.200s was replaced since it was started: `sidelock restart %s` runs the "
             "new one",
             program->path, surface);
    log_warning("surface %s: %s", surface, why);
    return true;
}
