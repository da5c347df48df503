#include "launch/calls/deed.h"

#include "launch/calls/target.h"
#include "launch/common/capability.h"

#include <errno.h>
#include <grp.h>
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
    int result;

    if (fchdir(view->root) < 0 || chroot(".") < 0 || fchdir(view->directory) < 0 ||
        become(view) != OK)
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
    deeds->rows[deeds->count].child = child;
    deeds->rows[deeds->count++].question = *question;
    return 0;
}

void deed_ended(struct deeds *deeds, pid_t child, int status)
{
    for (size_t i = 0; i < deeds->count; i++) {
        if (deeds->rows[i].child != child)
            continue;
        question_answer(&deeds->rows[i].question, WIFEXITED(status) ? WEXITSTATUS(status) : EIO);
        deeds->rows[i] = deeds->rows[--deeds->count];
        return;
    }
}
