#include "launch/calls/calls.h"

#include "launch/calls/handlers.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETNS_COOKIE 71 /* SO_NETNS_COOKIE */

static const struct {
    int call;
    void (*handle)(struct calls *calls, const struct question *question);
} handlers[] = {
    {SYS_bind, call_bind},          {SYS_listen, call_listen},  {SYS_connect, call_connect},
    {SYS_memfd_create, call_memfd}, {SYS_execve, call_execute}, {SYS_execveat, call_execute},
    {SYS_mmap, call_map},           {SYS_socket, call_socket},  {SYS_socketpair, call_pair},
};

/* Of the calling thread's network. */
static enum error read_cookie(uint64_t *out)
{
    socklen_t length = sizeof(*out);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    enum error error = OK;

    if (fd < 0)
        return ERROR_IO;
    if (getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, out, &length) < 0)
        error = ERROR_IO;
    close(fd);
    return error;
}

enum error calls_know_host(struct calls *calls)
{
    struct stat network;

    if (stat("/proc/self/ns/net", &network) < 0)
        return ERROR_IO;
    calls->host_network = (struct network){.device = network.st_dev, .inode = network.st_ino};
    return read_cookie(&calls->host);
}

enum error calls_start(struct calls *calls)
{
    enum error error = read_cookie(&calls->inside);

    return error == OK ? ports_open(&calls->ports) : error;
}

enum error calls_answer(struct calls *calls)
{
    struct question question;
    enum error error = question_receive(calls->notify, &question);

    if (error != OK)
        return error == ERROR_NOT_FOUND ? OK : error;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].call == question.call) {
            handlers[i].handle(calls, &question);
            return OK;
        }
    }
    for (size_t i = 0; i < file_calls_count; i++) {
        if (file_calls[i].call == question.call) {
            call_file(calls, &question, &file_calls[i]);
            return OK;
        }
    }
    question_answer(&question, ENOSYS);
    return OK;
}

bool calls_wait(const struct calls *calls)
{
    return calls->deeds.connects > 0;
}

void calls_watch(struct calls *calls)
{
    deeds_watch(&calls->deeds);
}

void calls_ended(struct calls *calls, pid_t child, int status)
{
    int error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    struct deed_row row;

    if (!deed_take(&calls->deeds, child, &row))
        return;
    if (row.question.call == SYS_execve || row.question.call == SYS_execveat)
        call_execute_ended(calls, &row, error);
    else
        question_answer(&row.question, error);
}
