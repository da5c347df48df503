/* `sidelock broker`: what `serve` starts; not for people. */
#include "base/log.h"
#include "broker/broker.h"
#include "cli/cmd.h"
#include "parent/parent.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static bool is_channel(int fd)
{
    int type = 0;
    socklen_t length = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

static bool keep_from_others(int count)
{
    for (int fd = PARENT_FILES_FD; fd < PARENT_FILES_FD + count; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return false;
    }
    return true;
}

int cmd_broker(int argc, char **argv)
{
    bool tell = argc == 2 && strcmp(argv[1], PARENT_BROKER_TELL) == 0;
    struct config_bundle bundle;
    struct broker_options options = {.bundle = &bundle,
                                     .files_fd = PARENT_FILES_FD,
                                     .workers_fd = PARENT_WORKERS_FD,
                                     .ready_fd = tell ? PARENT_READY_FD : -1};
    enum error error;
    int code;

    /* It goes with its parent, which says when to end: signals reach whole process groups. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTTOU, SIG_IGN); /* it may write to the terminal from the background */
    if ((argc != 1 && !tell) || !is_channel(PARENT_FILES_FD) || !is_channel(PARENT_WORKERS_FD)) {
        log_error("the broker is started by `sidelock serve`, not by hand");
        return EX_USAGE;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || !keep_from_others(tell ? 4 : 3))
        return EX_OSERR;
    error = bundle_unseal(PARENT_CONFIG_FD, false, &bundle);
    if (error == OK) {
        code = broker_run(&options);
    } else {
        log_error("the broker cannot start: %s", error_text(error));
        code = EX_SOFTWARE;
    }
    bundle_clear(&bundle);
    return code;
}
