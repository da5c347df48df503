#include "launch/calls/question.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>

enum error question_receive(int notify, struct question *out)
{
    struct seccomp_notif asked = {0};

    if (ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
        return errno == ENOENT || errno == EINTR ? ERROR_NOT_FOUND : ERROR_IO;
    *out = (struct question){
        .notify = notify, .id = asked.id, .thread = (pid_t)asked.pid, .call = asked.data.nr};
    memcpy(out->arguments, asked.data.args, sizeof(out->arguments));
    return OK;
}

bool question_lives(const struct question *question)
{
    return ioctl(question->notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &question->id) == 0;
}

void question_answer(const struct question *question, int error)
{
    struct seccomp_notif_resp answer = {.id = question->id, .error = -error};

    (void)!ioctl(question->notify, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void question_continue(const struct question *question)
{
    struct seccomp_notif_resp answer = {.id = question->id,
                                        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    (void)!ioctl(question->notify, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

int question_replace(const struct question *question, int source, int descriptor,
                     bool close_on_exec)
{
    struct seccomp_notif_addfd add = {.id = question->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                      .srcfd = (uint32_t)source,
                                      .newfd = (uint32_t)descriptor,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};

    return ioctl(question->notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
}

int question_add(const struct question *question, int source, bool close_on_exec, int *out)
{
    struct seccomp_notif_addfd add = {.id = question->id,
                                      .srcfd = (uint32_t)source,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};
    int added = ioctl(question->notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

    if (added < 0)
        return errno;
    *out = added;
    return 0;
}

void question_give(const struct question *question, int source, bool close_on_exec)
{
    struct seccomp_notif_addfd add = {.id = question->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)source,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};

    if (ioctl(question->notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
        question_answer(question, errno);
}
