#include "launch/keeper/settle.h"

#include "launch/calls/calls.h"
#include "launch/common/capability.h"
#include "launch/common/passing.h"
#include "launch/keeper/datagrams.h"
#include "launch/keeper/fence.h"
#include "launch/keeper/loopback.h"
#include "launch/keeper/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * To look into the tree, to bind low ports of the private namespace, to name files as a process
 * of the tree would, to give it sockets of its own, to signal a service that has another uid. In a
 * user namespace, there alone.
 */
#define KEPT                                                                                       \
    (CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_SYS_CHROOT) |  \
     CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_DAC_OVERRIDE) |              \
     CAPABILITY(CAP_KILL) | CAPABILITY(CAP_CHOWN))

struct packed {
    char *bytes;
    size_t length;
    struct command command;
};

static enum error open_command(int fd, struct packed *out)
{
    struct stat facts;
    enum error error;

    if (fstat(fd, &facts) < 0)
        return ERROR_IO;
    errno = EINVAL;
    out->length = (size_t)facts.st_size;
    out->bytes = mmap(NULL, out->length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (out->bytes == MAP_FAILED)
        return ERROR_IO;
    error = command_unpack(out->bytes, out->length, &out->command);
    if (error != OK)
        munmap(out->bytes, out->length);
    return error;
}

static void close_command(struct packed *packed)
{
    command_clear(&packed->command);
    munmap(packed->bytes, packed->length);
}

/* The parent's end is the tree's: the spawner's, and through it the parent's own. */
static enum error become_keeper(const struct keeper_options *options, uint32_t *step)
{
    *step = STEP_PARENT;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return ERROR_IO;
    *step = STEP_MAPS;
    return options->user_namespace ? nest_map(options->uid, options->gid) : OK;
}

static enum error see_little(const struct keeper_options *options, const struct command *command,
                             uint32_t *step)
{
    enum launch_step failed = STEP_PROC;
    enum error error = nest_mount(command, options->standard, options->user_namespace, &failed);

    *step = failed;
    return error;
}

/* For a service that is given none: programs stop where their input ends, so it does not. Its other
 * end stays the keeper's. */
static enum error open_silent_input(int *input)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return ERROR_IO;
    *input = pair[0];
    return OK;
}

/* How the files that may be executed are known again. */
static enum error know_executables(const struct command *command, struct calls *calls,
                                   uint32_t *step)
{
    *step = STEP_ISLANDS;
    for (char **file = command->executables; *file != NULL; file++) {
        struct stat facts;

        if (stat(*file, &facts) < 0)
            return ERROR_IO;
        calls->permitted[calls->permitted_count++] =
            (struct permitted){.device = facts.st_dev, .inode = facts.st_ino};
    }
    return OK;
}

/* The leader waits on the other end of *channel. */
static enum error fork_leader(const struct keeper_options *options, const struct command *command,
                              pid_t *leader, int *channel)
{
    struct leader_options given = {.command = command,
                                   .program = options->program,
                                   .user_namespace = options->user_namespace,
                                   .way_in = options->way_in,
                                   .limits = options->limits,
                                   .record = options->record >= 0};
    int pair[2], *input = &given.standard[STDIN_FILENO];

    memcpy(given.standard, options->standard, sizeof(given.standard));
    if ((*input < 0 && open_silent_input(input) != OK) || passing_pair(pair, 0) != OK)
        return ERROR_IO;
    *leader = fork();
    if (*leader == 0)
        leader_run(&given, pair[1]);
    close(pair[1]);
    if (options->standard[STDIN_FILENO] < 0)
        close(*input);
    *channel = pair[0];
    return *leader > 0 ? OK : ERROR_IO;
}

static enum error leave_network(struct calls *calls, uint32_t *step)
{
    char queue[DATAGRAMS_SIZE];

    *step = STEP_NETWORK;
    datagrams_read(queue);
    if (calls_know_host(calls) != OK || outside_start(&calls->outside) != OK ||
        unshare(CLONE_NEWNET) < 0)
        return ERROR_IO;
    datagrams_write(queue);
    *step = STEP_LOOPBACK;
    if (loopback_raise() != OK)
        return ERROR_IO;
    *step = STEP_KEEPER;
    return calls_start(calls);
}

static enum error fence_itself(void)
{
    struct rlimit none = {0};

    if (setrlimit(RLIMIT_CORE, &none) < 0 || capability_keep(KEPT) != OK ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return ERROR_IO;
    return OK;
}

/* What the leader executes is asked, too, where that is limited; until it has said its last. */
static enum error answer_leader(int channel, struct calls *calls)
{
    struct pollfd watched[] = {{.fd = channel, .events = POLLIN},
                               {.fd = calls->notify, .events = POLLIN}};

    while (poll(watched, 2, -1) >= 0 || errno == EINTR) {
        if (watched[0].revents != 0)
            return OK;
        if ((watched[1].revents & POLLIN) != 0 && calls_answer(calls) != OK)
            return ERROR_IO;
    }
    return ERROR_IO;
}

/* One word, and the descriptor beside it (-1: none). ERROR_NOT_FOUND: it says nothing more. */
static enum error hear_leader(int channel, struct leader_word *word, int *descriptor)
{
    size_t count = 1;
    enum error error;

    *word = (struct leader_word){.step = STEP_FILTER, .error = EPROTO};
    *descriptor = -1;
    error = passing_receive(channel, word, sizeof(*word), descriptor, &count);
    return error == OK && word->error != 0 ? ERROR_IO : error;
}

/* The filter's listener, what was found out with somebody answering, then silence if execve
 * succeeded. */
static enum error release_leader(int channel, struct settled *out, uint32_t *step)
{
    int *const wanted[] = {&out->calls->notify, &out->proof.status};
    struct leader_word word;
    enum error error = OK;
    int none;

    if (write(channel, "", 1) != 1)
        return ERROR_IO;
    for (size_t i = 0; error == OK && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        int descriptor;

        error = hear_leader(channel, &word, &descriptor);
        out->proof = word.proof;
        *wanted[i] = descriptor;
        if (error == OK)
            error = answer_leader(channel, out->calls);
    }
    if (error == OK && hear_leader(channel, &word, &none) == ERROR_NOT_FOUND)
        return OK;
    *step = word.step;
    errno = word.error;
    return ERROR_IO;
}

enum error keeper_settle(const struct keeper_options *options, struct settled *out, uint32_t *step)
{
    struct packed packed;
    int channel = -1;
    enum error error = become_keeper(options, step);

    if (error != OK)
        return error;
    *step = STEP_COMMAND;
    error = open_command(options->command, &packed);
    if (error != OK)
        return error;
    out->calls->reach = packed.command.reach;
    out->calls->listeners_max =
        packed.command.listeners_max > 0 ? packed.command.listeners_max : COMMAND_LISTENERS;
    error = see_little(options, &packed.command, step);
    if (error == OK)
        error = know_executables(&packed.command, out->calls, step);
    if (error == OK)
        error = fork_leader(options, &packed.command, &out->leader, &channel);
    close_command(&packed);
    close(options->command);
    if (options->way_in >= 0)
        close(options->way_in);
    for (int i = 0; i < STANDARD_COUNT; i++) {
        if (options->standard[i] >= 0)
            close(options->standard[i]);
    }
    if (error == OK)
        error = leave_network(out->calls, step);
    if (error == OK)
        error = fence_itself();
    if (error == OK)
        error = release_leader(channel, out, step);
    if (channel >= 0) /* else it would say that over why */
        close(channel);
    if (error == OK) {
        *step = STEP_KEEPER;
        error = fence_close();
    }
    return error;
}
