#include "launch/supervise/looking.h"

#include "base/log.h"
#include "launch/supervise/looker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

void looking_init(struct looking *looking)
{
    *looking = (struct looking){.pidfd = -1};
}

/*
 * A child without a signal for its end is waited for by __WALL alone: so it is none of those by
 * which the starter knows that something of a launcher is left.
 */
static pid_t fork_apart(int *pidfd)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PIDFD, NULL, pidfd, NULL, 0UL);
}

static enum error fork_looker(struct looking *looking, void (*leave)(void *context), void *context,
                              int *end)
{
    pid_t parent = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERROR_IO;
    looking->pid = fork_apart(&looking->pidfd);
    if (looking->pid == 0) {
        close(pair[0]);
        leave(context);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
            _exit(EX_OSERR);
        looker_run(pair[1]);
    }
    close(pair[1]);
    if (looking->pid > 0) {
        *end = pair[0];
        return OK;
    }
    close(pair[0]);
    looking_init(looking);
    looking->wanted = true;
    return ERROR_IO;
}

int looking_start(struct looking *looking, uint64_t now_ms, void (*leave)(void *context),
                  void *context, int *end)
{
    *end = -1;
    if (!looking->wanted || looking->pid > 0)
        return -1;
    if (now_ms < looking->next_at_ms)
        return (int)(looking->next_at_ms - now_ms);
    if (fork_looker(looking, leave, context, end) != OK)
        log_error("the looker cannot be started, so programs that call are unknown: %s",
                  strerror(errno));
    looking->next_at_ms = now_ms + LOOKING_PAUSE_MS;
    return looking->pid > 0 ? -1 : LOOKING_PAUSE_MS;
}

static void forget(struct looking *looking)
{
    close(looking->pidfd);
    looking->pidfd = -1;
    looking->pid = 0;
}

void looking_reap(struct looking *looking)
{
    int status = 0;

    if (waitpid(looking->pid, &status, __WALL | WNOHANG) != looking->pid)
        return;
    forget(looking);
    if (WIFSIGNALED(status))
        log_error("the looker was ended by signal %d; another one follows", WTERMSIG(status));
}

void looking_end(struct looking *looking)
{
    if (looking->pid <= 0)
        return;
    kill(looking->pid, SIGKILL);
    (void)waitpid(looking->pid, NULL, __WALL);
    forget(looking);
}
