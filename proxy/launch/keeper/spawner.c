#include "launch/keeper/spawner.h"

#include "launch/common/passing.h"
#include "launch/keeper/keeper.h"
#include "launch/keeper/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHANNEL     3
#define GIVEN_FIRST 2 /* command and channel come before the standard ones */
#define GIVEN_MAX   (GIVEN_FIRST + STANDARD_COUNT + 1)

/* Nothing of the parent's but its standard error and the channel. */
static enum error let_go(int channel)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct sigaction reap = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigset_t none;

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return ERROR_IO;
    if (channel == CHANNEL) {
        if (fcntl(channel, F_SETFD, FD_CLOEXEC) < 0)
            return ERROR_IO;
    } else if (dup3(channel, CHANNEL, O_CLOEXEC) < 0) {
        return ERROR_IO;
    }
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (sigaction(SIGCHLD, &reap, NULL) < 0 || syscall(SYS_close_range, CHANNEL + 1, ~0U, 0) < 0)
        return ERROR_IO;
    return OK;
}

/* Root needs no user namespace, if it is root of the host. */
static int make_tree(struct keeper_options *options, int *pidfd)
{
    pid_t child = -1;
    enum error error;

    options->user_namespace = geteuid() != 0;
    error = nest_clone(options->user_namespace, &child, pidfd);
    if (error != OK && errno == EPERM && !options->user_namespace) {
        options->user_namespace = true;
        error = nest_clone(true, &child, pidfd);
    }
    if (error == OK && child == 0) {
        close(CHANNEL);
        keeper_run(options);
    }
    return error == OK ? 0 : errno;
}

static int take(const struct spawner_ask *ask, const int *given, size_t count,
                leader_program *relay, int *pidfd)
{
    struct keeper_options options = {.program = ask->relay != 0 ? relay : NULL,
                                     .command = given[0],
                                     .channel = given[1],
                                     .standard = {-1, -1, -1},
                                     .record = -1,
                                     .uid = geteuid(),
                                     .gid = getegid()};
    size_t next = GIVEN_FIRST;

    for (int i = 0; i < STANDARD_COUNT; i++) {
        if ((ask->standard & 1u << i) != 0 && next < count)
            options.standard[i] = given[next++];
    }
    if (ask->record != 0 && next < count)
        options.record = given[next++];
    if (next != count || count < GIVEN_FIRST || (ask->relay != 0 && relay == NULL))
        return EINVAL;
    return make_tree(&options, pidfd);
}

static _Noreturn void run(int channel, pid_t parent, leader_program *relay)
{
    struct spawner_ask ask;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent ||
        let_go(channel) != OK)
        _exit(EXIT_FAILURE);
    for (;;) {
        int given[GIVEN_MAX] = {-1, -1, -1, -1, -1, -1}, pidfd = -1;
        size_t count = GIVEN_MAX;
        struct spawner_word word;

        if (passing_receive(CHANNEL, &ask, sizeof(ask), given, &count) != OK)
            _exit(EXIT_SUCCESS);
        word = (struct spawner_word){.number = ask.number,
                                     .error = take(&ask, given, count, relay, &pidfd)};
        for (size_t i = 0; i < count; i++)
            close(given[i]);
        if (passing_send(CHANNEL, &word, sizeof(word), &pidfd, pidfd >= 0) != OK)
            _exit(EXIT_SUCCESS);
        passing_close(&pidfd);
    }
}

enum error spawner_start(int *channel, leader_program *relay)
{
    int pair[2];
    pid_t parent = getpid(), child;

    if (passing_pair(pair, 1) != OK)
        return ERROR_IO;
    child = fork();
    if (child == 0) {
        close(pair[0]);
        run(pair[1], parent, relay);
    }
    close(pair[1]);
    if (child < 0) {
        close(pair[0]);
        return ERROR_IO;
    }
    *channel = pair[0];
    return OK;
}
