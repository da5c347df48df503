#include "launch/calls/deed.h"

#include "launch/calls/target.h"
#include "launch/common/capability.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static enum error become(const struct target_view *view)
{
    if (geteuid() != view->uid && (setgroups(view->group_count, view->groups) < 0 ||
                                   setresgid(view->gid, view->gid, view->gid) < 0 ||
                                   setresuid(view->uid, view->uid, view->uid) < 0))
        return ERROR_IO;
    return capability_reduce(view->capabilities);
}

static _Noreturn void perform(const struct deed *deed, const struct target_view *view)
{
    const struct execution *execution = deed->execution;
    int directory =
        execution != NULL && execution->directory >= 0 ? execution->directory : view->directory;
    int result;

    if (fchdir(view->root) < 0 || chroot(".") < 0 || fchdir(directory) < 0)
        _exit(errno);
    if (execution != NULL)
        _exit(execution_judge(execution));
    if (become(view) != OK)
        _exit(errno);
    umask(view->umask);
    if (deed->address != NULL)
        result = bind(deed->socket, &deed->address->base, deed->length);
    else
        result = listen(deed->socket, deed->backlog);
    _exit(result < 0 ? errno : 0);
}

int deed_begin(struct deeds *deeds, const struct question *question, const struct deed *deed)
{
    struct target_view view;
    struct deed_row *row;
    pid_t child;

    if (deeds->count == DEEDS_MAX)
        return ENOBUFS;
    if (target_see(question->thread, &view) != OK)
        return errno;
    child = question_lives(question) ? fork() : -1;
    if (child == 0)
        perform(deed, &view);
    close(view.root);
    close(view.directory);
    if (child < 0)
        return ENOBUFS;
    row = &deeds->rows[deeds->count++];
    *row = (struct deed_row){.child = child, .question = *question};
    if (deed->execution != NULL)
        snprintf(row->path, sizeof(row->path), "%.*s", EXECUTION_SHOWN_SIZE - 1,
                 deed->execution->path);
    return 0;
}

bool deed_take(struct deeds *deeds, pid_t child, struct deed_row *out)
{
    for (size_t i = 0; i < deeds->count; i++) {
        if (deeds->rows[i].child != child)
            continue;
        *out = deeds->rows[i];
        deeds->rows[i] = deeds->rows[--deeds->count];
        return true;
    }
    return false;
}
