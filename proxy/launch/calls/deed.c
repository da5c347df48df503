#include "launch/calls/deed.h"

#include "launch/calls/target.h"
#include "launch/common/capability.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
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

static _Noreturn void call(const struct deed *deed)
{
    int result;

    if (deed->kind == DEED_BIND)
        result = bind(deed->socket, &deed->address->base, deed->length);
    else if (deed->kind == DEED_LISTEN)
        result = listen(deed->socket, deed->backlog);
    else
        result = connect(deed->socket, &deed->address->base, deed->length);
    _exit(result < 0 ? errno : 0);
}

static _Noreturn void perform(const struct deed *deed, const struct target_view *view)
{
    const struct execution *execution = deed->execution;
    int directory =
        execution != NULL && execution->directory >= 0 ? execution->directory : view->directory;

    if (fchdir(view->root) < 0 || chroot(".") < 0 || fchdir(directory) < 0)
        _exit(errno);
    if (execution != NULL)
        _exit(execution_judge(execution));
    if (become(view) != OK)
        _exit(errno);
    umask(view->umask);
    call(deed);
}

static pid_t begin(const struct question *question, const struct deed *deed)
{
    struct target_view view = {.root = -1};
    pid_t child;

    if (deed->kind != DEED_DIAL && target_see(question->thread, &view) != OK)
        return -1;
    errno = ENOBUFS;
    child = question_lives(question) ? fork() : -1;
    if (child == 0 && deed->kind == DEED_DIAL)
        call(deed);
    if (child == 0)
        perform(deed, &view);
    if (view.root >= 0) {
        close(view.root);
        close(view.directory);
    }
    return child;
}

static bool connects(enum deed_kind kind)
{
    return kind == DEED_CONNECT || kind == DEED_DIAL;
}

int deed_begin(struct deeds *deeds, const struct question *question, const struct deed *deed)
{
    struct deed_row *row;
    pid_t child;

    if (connects(deed->kind) ? deeds->connects == DEED_CONNECTS_MAX
                             : deeds->count - deeds->connects == DEEDS_MAX)
        return ENOBUFS;
    child = begin(question, deed);
    if (child < 0)
        return errno;
    deeds->connects += connects(deed->kind);
    row = &deeds->rows[deeds->count++];
    *row = (struct deed_row){.child = child, .kind = deed->kind, .question = *question};
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
        deeds->connects -= connects(out->kind);
        deeds->rows[i] = deeds->rows[--deeds->count];
        return true;
    }
    return false;
}

/* One that waits for two looks is this thread's: another one would have taken it. */
static bool is_signalled(struct deed_row *row)
{
    bool before = row->signalled;

    row->signalled = target_is_signalled(row->question.thread);
    return before && row->signalled;
}

void deeds_watch(struct deeds *deeds)
{
    for (size_t i = 0; i < deeds->count; i++) {
        struct deed_row *row = &deeds->rows[i];

        if (!connects(row->kind))
            continue;
        if (question_lives(&row->question) && !is_signalled(row))
            continue;
        question_answer(&row->question, EINTR);
        kill(row->child, SIGKILL);
    }
}
