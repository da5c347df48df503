/* mmap: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/target.h"
#include "launch/calls/whereabouts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTOR_ARGUMENT 4

/* The name under which the file was opened. */
static bool name_of(int file, char out[EXECUTION_SHOWN_SIZE])
{
    char link[64];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    length = readlinkat(AT_FDCWD, link, out, EXECUTION_SHOWN_SIZE - 1);
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Node maps its own program again, to have it in larger pages. */
static bool is_own_program(pid_t thread, const struct stat *file)
{
    char link[64];
    struct stat program;

    snprintf(link, sizeof(link), "/proc/%d/exe", thread);
    return stat(link, &program) == 0 && program.st_dev == file->st_dev &&
           program.st_ino == file->st_ino;
}

/* Where code of it comes from. */
static void record(struct calls *calls, const struct question *question)
{
    const struct whereabouts where = {.question = question,
                                      .descriptor = (int)question->arguments[DESCRIPTOR_ARGUMENT]};
    char path[PATH_MAX], *slash;
    struct stat facts;

    if (!recorder_is_on(&calls->recorder) || whereabouts_find(&where, path, &facts) != OK ||
        !S_ISREG(facts.st_mode) || is_own_program(question->thread, &facts))
        return;
    slash = strrchr(path, '/');
    if (slash == path)
        return;
    *slash = '\0';
    recorder_tell(&calls->recorder, RECORD_LOAD, 0, path);
}

/* It was refused, unless the thread has another file there by now: then it is not told. */
void call_map(struct calls *calls, const struct question *question)
{
    struct refusal refusal = {.call = SYS_mmap, .error = EPERM};
    int file = target_descriptor(question->thread, (int)question->arguments[DESCRIPTOR_ARGUMENT]);
    struct statvfs place;
    bool refused = file >= 0 && fstatvfs(file, &place) == 0 && (place.f_flag & ST_NOEXEC) != 0 &&
                   name_of(file, refusal.path);

    if (file >= 0)
        close(file);
    record(calls, question);
    if (refused)
        target_name(question->thread, refusal.program);
    refused = refused && question_lives(question);
    question_continue(question);
    if (refused)
        calls->refused(calls->data, &refusal);
}
