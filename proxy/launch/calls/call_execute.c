/* execve, execveat: of the table in calls.h. */
#include "launch/calls/handlers.h"

#include "launch/calls/subject.h"
#include "launch/calls/target.h"
#include "launch/calls/whereabouts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int begin(struct calls *calls, const struct question *question, struct execution *execution)
{
    struct deed deed = {.kind = DEED_EXECUTE, .execution = execution};
    bool at = question->call == SYS_execveat;

    if (target_copy_text(question->thread, question->arguments[at ? 1 : 0], execution->path,
                         sizeof(execution->path)) != OK)
        return -1;
    if (at && (int)question->arguments[0] != AT_FDCWD && execution->path[0] != '/') {
        execution->directory = target_descriptor(question->thread, (int)question->arguments[0]);
        if (execution->directory < 0)
            return -1;
    }
    return deed_begin(&calls->deeds, question, &deed);
}

/* Where nothing is limited, all is continued. */
static void record(struct calls *calls, const struct question *question)
{
    bool at = question->call == SYS_execveat;
    char path[PATH_MAX], found[PATH_MAX];
    struct whereabouts where = {.question = question,
                                .descriptor = at ? (int)question->arguments[0] : AT_FDCWD,
                                .path = path,
                                .follow = true};
    struct stat facts;

    if (target_copy_text(question->thread, question->arguments[at ? 1 : 0], path, sizeof(path)) !=
        OK)
        return;
    if (path[0] == '\0')
        where.path = NULL;
    if (whereabouts_find(&where, found, &facts) == OK && S_ISREG(facts.st_mode) &&
        (facts.st_mode & 0111) != 0 && question_lives(question))
        recorder_tell(&calls->recorder, RECORD_EXECUTE, 0, found);
}

void call_execute(struct calls *calls, const struct question *question)
{
    struct execution execution = {.thread = question->thread,
                                  .directory = -1,
                                  .permitted = calls->permitted,
                                  .permitted_count = calls->permitted_count};

    if (calls->begun && recorder_is_on(&calls->recorder))
        record(calls, question);
    /* What cannot be looked at is left to the kernel, as is the service's own program. */
    if (!calls->begun || calls->permitted_count == 0 || begin(calls, question, &execution) != 0)
        question_continue(question);
    if (execution.directory >= 0)
        close(execution.directory);
}

void call_execute_ended(struct calls *calls, const struct deed_row *row, int error)
{
    struct refusal refusal = {.call = SYS_execve, .error = error};

    if (error == 0) {
        question_continue(&row->question);
        return;
    }
    target_name(row->question.thread, refusal.program);
    memcpy(refusal.path, row->path, sizeof(refusal.path));
    question_answer(&row->question, error);
    calls->refused(calls->data, &refusal);
}
