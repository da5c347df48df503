#include "launch/supervise/program.h"

#include <stdio.h>

void program_note(struct program *program, const char *path)
{
    snprintf(program->path, sizeof(program->path), "%s", path);
    if (stat(path, &program->facts) < 0)
        program->facts = (struct stat){.st_ino = 0};
}

bool program_is(const struct program *program)
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
