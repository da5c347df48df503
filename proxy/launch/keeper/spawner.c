#include "launch/keeper/spawner.h"

#include "launch/common/passing.h"
#include "launch/keeper/keeper.h"
#include "launch/keeper/nest.h"
#include "launch/keeper/tree_group.h"

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

struct spawner {
    leader_program *relay;
    int base; /* of control groups (tree_group.h); -1: there is none */
};

/* What a tree was given, and what it has: closed once it is told. */
struct made {
    size_t count; /* of what was given */
    int given[GIVEN_MAX];
    struct tree_group group;
    int pidfd;
};

/* Root needs no user namespace, if it is root of the host. */
static int make_tree(const struct spawner *spawner, struct keeper_options *options,
                     struct made *made)
{
    pid_t child = -1;
    enum error error;

    options->user_namespace = geteuid() != 0;
    error = nest_clone(options->user_namespace, &child, &made->pidfd);
    if (error != OK && errno == EPERM && !options->user_namespace) {
        options->user_namespace = true;
        error = nest_clone(true, &child, &made->pidfd);
    }
    if (error == OK && child == 0) {
        close(CHANNEL);
        if (spawner->base >= 0)
            close(spawner->base);
        passing_close(&made->group.directory);
        keeper_run(options);
    }
    return error == OK ? 0 : errno;
}

static int take(const struct spawner *spawner, const struct spawner_ask *ask, struct made *made)
{
    const int *given = made->given;
    const size_t count = made->count;
    struct keeper_options options = {.program = ask->relay != 0 ? spawner->relay : NULL,
                                     .command = given[0],
                                     .channel = given[1],
                                     .standard = {-1, -1, -1},
                                     .record = -1,
                                     .uid = geteuid(),
                                     .gid = getegid()};
    const struct tree_group_wish wish = {ask->number, ask->memory_mib, ask->processes};
    size_t next = GIVEN_FIRST;
    int error;

    for (int i = 0; i < STANDARD_COUNT; i++) {
        if ((ask->standard & 1u << i) != 0 && next < count)
            options.standard[i] = given[next++];
    }
    if (ask->record != 0 && next < count)
        options.record = given[next++];
    if (next != count || count < GIVEN_FIRST || (ask->relay != 0 && spawner->relay == NULL))
        return EINVAL;
    tree_group_make(spawner->base, &wish, &made->group);
    options.way_in = made->group.way_in;
    options.limits = made->group.held;
    error = make_tree(spawner, &options, made);
    if (error != 0)
        tree_group_remove(spawner->base, ask->number);
    return error;
}

static enum error answer(const struct spawner_ask *ask, const struct made *made, int error)
{
    const struct spawner_word word = {.number = ask->number, .error = error};
    const int given[] = {made->pidfd, made->group.directory};

    return passing_send(CHANNEL, &word, sizeof(word), given,
                        made->pidfd < 0 ? 0 : (made->group.directory >= 0 ? 2 : 1));
}

static enum error serve(const struct spawner *spawner)
{
    struct made made = {.given = {-1, -1, -1, -1, -1, -1},
                        .count = GIVEN_MAX,
                        .group = {.directory = -1, .way_in = -1},
                        .pidfd = -1};
    struct spawner_ask ask;
    enum error error = passing_receive(CHANNEL, &ask, sizeof(ask), made.given, &made.count);

    if (error == OK && ask.type == SPAWNER_FORGET)
        tree_group_remove(spawner->base, ask.number);
    else if (error == OK)
        error = answer(&ask, &made, take(spawner, &ask, &made));
    for (size_t i = 0; i < GIVEN_MAX; i++)
        passing_close(&made.given[i]);
    passing_close(&made.group.directory);
    passing_close(&made.group.way_in);
    passing_close(&made.pidfd);
    return error;
}

static _Noreturn void run(int channel, pid_t parent, leader_program *relay)
{
    struct spawner spawner = {.relay = relay};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent ||
        let_go(channel) != OK)
        _exit(EXIT_FAILURE);
    spawner.base = tree_group_open_base();
    while (serve(&spawner) == OK)
        ;
    _exit(EXIT_SUCCESS);
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
