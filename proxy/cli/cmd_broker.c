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

/* False: no parent of ours says that. */
static bool take_argument(const char *argument, struct broker_options *options)
{
    if (strcmp(argument, PARENT_BROKER_TELL) == 0)
        options->ready_fd = PARENT_READY_FD;
    else if (strcmp(argument, PARENT_BROKER_FILE) == 0)
        options->lockdown = "file";
    else if (strcmp(argument, PARENT_BROKER_SIGNAL) == 0)
        options->lockdown = "signal";
    else
        return false;
    return true;
}

int cmd_broker(int argc, char **argv)
{
    struct config_bundle bundle;
    struct broker_options options = {.bundle = &bundle,
                                     .files_fd = PARENT_FILES_FD,
                                     .workers_fd = PARENT_WORKERS_FD,
                                     .ready_fd = -1};
    bool known = true;
    enum error error;
    int code;

    /* It goes with its parent, which says when to end: signals reach whole process groups. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTTOU, SIG_IGN); /* it may write to the terminal from the background */
    for (int i = 1; i < argc; i++)
        known = take_argument(argv[i], &options) && known;
    if (!known || !is_channel(PARENT_FILES_FD) || !is_channel(PARENT_WORKERS_FD)) {
        log_error("the broker is started by `sidelock serve`, not by hand");
        return EX_USAGE;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        !keep_from_others(options.ready_fd >= 0 ? 4 : 3))
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
