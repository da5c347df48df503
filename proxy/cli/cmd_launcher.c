/* `sidelock launcher`: what `serve` starts; not for people. */
#include "base/log.h"
#include "cli/cmd.h"
#include "launch/supervise/starter.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static bool is_channel(int fd)
{
    int type = 0;
    socklen_t length = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int cmd_launcher(int argc, char **argv)
{
    (void)argv;
    log_set_name("launcher");
    /* It goes with its parent, which says when to end: signals reach whole process groups. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (argc != 1 || !is_channel(STARTER_PARENT_FD)) {
        log_error("the launcher is started by `sidelock serve`, not by hand");
        return EX_USAGE;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return EX_OSERR;
    return starter_run(STARTER_PARENT_FD);
}
