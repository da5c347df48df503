#include "launch/calls/outside.h"

#include "launch/common/capability.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

struct wish {
    int family, type, protocol;
};

/* The answer is a descriptor, or an errno as a negative number. */
static void *serve(void *argument)
{
    int channel = (int)(intptr_t)argument, answer = 0;
    struct wish wish;

    if (capability_keep(0) != OK)
        answer = -EPERM;
    while (write(channel, &answer, sizeof(answer)) == sizeof(answer) &&
           read(channel, &wish, sizeof(wish)) == sizeof(wish)) {
        answer = socket(wish.family, wish.type | SOCK_CLOEXEC, wish.protocol);
        if (answer < 0)
            answer = -errno;
    }
    return NULL;
}

static int hear(const struct outside *outside)
{
    int answer;

    if (read(outside->channel, &answer, sizeof(answer)) != sizeof(answer))
        answer = -EIO;
    if (answer >= 0)
        return answer;
    errno = -answer;
    return -1;
}

enum error outside_start(struct outside *outside)
{
    sigset_t all, before;
    pthread_t thread;
    int pair[2], failed;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, NULL, serve, (void *)(intptr_t)pair[1]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return ERROR_IO;
    pthread_detach(thread);
    outside->channel = pair[0];
    return hear(outside) == 0 ? OK : ERROR_IO; /* it has given up its capabilities */
}

int outside_socket(const struct outside *outside, int family, int type, int protocol)
{
    struct wish wish = {family, type, protocol};

    if (write(outside->channel, &wish, sizeof(wish)) != sizeof(wish))
        return -1;
    return hear(outside);
}
