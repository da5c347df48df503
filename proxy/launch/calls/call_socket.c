/*
 * socket, socketpair: of the table in calls.h. Datagrams that are not to leave have sockets of the
 * private namespace, from where none does. An abstract name is looked up in its socket's own
 * network namespace, whoever connects, so what is made here finds none of the host's, whatever
 * another thread does, and is found by none.
 */
#include "launch/calls/handlers.h"

#include "launch/calls/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* In a network that somebody of the tree has made. He stays there, as the right to go back to the
 * host's is nobody's in here, and other threads cannot take him away. */
static bool is_elsewhere(const struct calls *calls, const struct question *question)
{
    struct stat facts;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", question->thread);
    return stat(path, &facts) == 0 && (facts.st_dev != calls->host_network.device ||
                                       facts.st_ino != calls->host_network.inode);
}

/* It is its maker's, who may change its mode before it has a path (fchmod(2)). */
static int hand_over(const struct question *question, int socket)
{
    uid_t uid;
    gid_t gid;

    if (target_user(question->thread, &uid, &gid) != OK)
        return errno;
    if (uid == geteuid() && gid == getegid())
        return 0;
    return fchown(socket, uid, gid) < 0 ? errno : 0;
}

void call_socket(struct calls *calls, const struct question *question)
{
    int family = (int)question->arguments[0], type = (int)question->arguments[1];
    int protocol = (int)question->arguments[2], made = -1, error;

    if (family == AF_UNIX && is_elsewhere(calls, question)) {
        question_continue(question);
        return;
    }
    errno = EACCES;
    if (family == AF_UNIX || protocol == 0 || protocol == IPPROTO_UDP)
        made = socket(family, type | SOCK_CLOEXEC, protocol);
    if (made < 0) {
        question_answer(question, errno);
        return;
    }
    error = hand_over(question, made);
    if (error == 0)
        question_give(question, made, (type & SOCK_CLOEXEC) != 0);
    else
        question_answer(question, error);
    close(made);
}

/* Two descriptors, and their numbers where the call wants them: what cannot be written there is
 * found out before there are any. */
static int give_both(const struct question *question, const int made[2])
{
    const uint64_t where = question->arguments[3];
    bool close_on_exec = ((int)question->arguments[1] & SOCK_CLOEXEC) != 0;
    int numbers[2] = {-1, -1}, error = 0;

    if (target_write(question->thread, where, numbers, sizeof(numbers)) != OK)
        return errno;
    for (int i = 0; error == 0 && i < 2; i++)
        error = hand_over(question, made[i]);
    for (int i = 0; error == 0 && i < 2; i++)
        error = question_add(question, made[i], close_on_exec, &numbers[i]);
    if (error == 0 && target_write(question->thread, where, numbers, sizeof(numbers)) != OK)
        error = errno;
    return error;
}

void call_pair(struct calls *calls, const struct question *question)
{
    int made[2], error;

    if (is_elsewhere(calls, question)) {
        question_continue(question);
        return;
    }
    if (socketpair(AF_UNIX, (int)question->arguments[1] | SOCK_CLOEXEC, (int)question->arguments[2],
                   made) < 0) {
        question_answer(question, errno);
        return;
    }
    error = question_lives(question) ? give_both(question, made) : ESRCH;
    question_answer(question, error);
    close(made[0]);
    close(made[1]);
}
