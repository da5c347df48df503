#include "launch/keeper/leader.h"

#include "launch/common/capability.h"
#include "launch/common/passing.h"
#include "launch/common/probe.h"
#include "launch/keeper/filter.h"
#include "launch/keeper/tree_group.h"
#include "system/execution_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Of a service that is root's: what root's programs do with files and users. Nothing that
 * commands the host: its modules, mounts, network, clock, other processes. What root may open as a
 * file it may, though: devices, unless writes are limited, and files of the kernel below /proc that
 * ask for no capability.
 */
#define ROOT_KEEPS                                                                                 \
    (CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) |               \
     CAPABILITY(CAP_FSETID) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETGID) |                      \
     CAPABILITY(CAP_SETUID))

/* Of the keeper, which are counted with the tree's in its user namespace: its first thread and the
 * one that stayed outside (calls/outside.h). */
#define KEEPER_THREADS 2

static enum error set_standard(const int standard[STANDARD_COUNT])
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), safe[STANDARD_COUNT];

    if (null < 0)
        return ERROR_IO;
    for (int i = 0; i < STANDARD_COUNT; i++) {
        safe[i] = fcntl(standard[i] >= 0 ? standard[i] : null, F_DUPFD_CLOEXEC, STANDARD_COUNT);
        if (safe[i] < 0)
            return ERROR_IO;
    }
    for (int i = 0; i < STANDARD_COUNT; i++) {
        if (dup2(safe[i], i) < 0)
            return ERROR_IO;
    }
    return OK;
}

/* A terminal that no session has becomes its session's: it is told of ^C and of its window. One
 * that somebody has stays his. */
static void take_terminal(void)
{
    for (int i = 0; i < STANDARD_COUNT; i++) {
        if (isatty(i) && ioctl(i, TIOCSCTTY, 0) == 0)
            return;
    }
}

/* Everything else but the channel. */
static enum error close_others(int channel)
{
    if (channel > STANDARD_COUNT &&
        syscall(SYS_close_range, STANDARD_COUNT, (unsigned)channel - 1, 0) < 0)
        return ERROR_IO;
    return syscall(SYS_close_range, (unsigned)channel + 1, ~0U, 0) == 0 ? OK : ERROR_IO;
}

static enum error become(const struct command *command)
{
    if (!command->switch_user)
        return OK;
    if (setgroups(command->group_count, command->groups) < 0 ||
        setresgid(command->gid, command->gid, command->gid) < 0 ||
        setresuid(command->uid, command->uid, command->uid) < 0)
        return ERROR_IO;
    return OK;
}

/* What the kernel says of the mount, where a trial would tell nothing: any program, and any file,
 * may be one of those that are permitted. */
static void prove_mounts(const struct command *command, struct proof *proof)
{
    struct statvfs root;

    if (statvfs("/", &root) < 0)
        return;
    if (command->executables[0] != NULL)
        proof->tried |= FENCE(EXECUTE);
    if (command->limit_writes)
        proof->tried |= FENCE(WRITE);
    if ((root.f_flag & ST_NOEXEC) != 0 && execution_fence_lacks(proof->landlock) == NULL)
        proof->refused |= proof->tried & FENCE(EXECUTE);
    if ((root.f_flag & ST_RDONLY) != 0)
        proof->refused |= proof->tried & FENCE(WRITE);
}

/*
 * Landlock: what may be executed, no signal to others, and no bind by TCP at all, which the keeper
 * performs, nor a connect where that is limited. Not abstract names, which are private
 * (calls/call_socket.c): it looks at who made a socket, and would refuse those of the tree's own.
 * A kernel whose rules would keep files from being moved between directories has too little for
 * the first.
 */
static enum error hold(const struct command *command, struct proof_trial *trial)
{
    struct landlock_place places[COMMAND_EXECUTABLES_MAX + 1] = {{"/", LANDLOCK_MAY_MOVE}};
    bool limited = command->executables[0] != NULL;
    uint32_t fences = FENCES_SERVICE & ~FENCE(ABSTRACT), tried;
    size_t count = 0;
    enum error error;

    if (reach_is_limited(&command->reach))
        fences |= FENCE(TCP_CONNECT);
    tried = fences | FENCE(ABSTRACT);
    proof_begin(trial, tried);
    if (limited && trial->proof.landlock >= LANDLOCK_MOVES) {
        fences |= FENCE(EXECUTE);
        for (count = 1; command->executables[count - 1] != NULL; count++)
            places[count] =
                (struct landlock_place){command->executables[count - 1], LANDLOCK_MAY_EXECUTE};
    }
    error = landlock_hold(fences, places, count);
    /* An abstract name is the keeper's, once there is a filter. */
    proof_try(trial, tried & ~FENCE(ABSTRACT));
    if (error == OK)
        prove_mounts(command, &trial->proof);
    return error;
}

/*
 * Since kernel 5.14, which is needed anyway, processes are counted for each user namespace, with
 * all below it. Nobody of the tree has the right to more.
 */
static bool limit_in_namespace(uint32_t processes)
{
    const struct rlimit most = {processes + KEEPER_THREADS, processes + KEEPER_THREADS};

    return setrlimit(RLIMIT_NPROC, &most) == 0;
}

/* `held`: by the control group that it is in. */
static void limit_use(const struct leader_options *options, uint32_t held, struct proof *proof)
{
    const struct command *command = options->command;

    /* A group tells when it is reached, which nobody would if the other came first. */
    if (options->user_namespace && command->processes > 0 && (held & FENCE(PROCESSES)) == 0 &&
        limit_in_namespace(command->processes))
        held |= FENCE(PROCESSES);
    if (command->memory_mib > 0)
        proof->tried |= FENCE(MEMORY);
    if (command->processes > 0)
        proof->tried |= FENCE(PROCESSES);
    proof->refused |= proof->tried & held & FENCES_USE;
}

/* An address that it may not connect to, and the socket for it; nothing is sent to anybody if it
 * may after all. */
static int out_of_reach(const struct reach *reach, union address *out)
{
    const bool tcp = reach->network_count == 0 && reach->no_datagrams == 0;

    *out =
        (union address){.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    if (reach->network_count > 0 && subnet_is_ipv4(reach->networks[0].bytes)) {
        memcpy(&out->in.sin_addr, reach->networks[0].bytes + 12, 4);
    } else if (reach->network_count > 0) {
        out->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        memcpy(&out->in6.sin6_addr, reach->networks[0].bytes, 16);
    }
    return socket(out->base.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
}

/* Asked of the keeper, which answers this one without connecting. */
static void prove_reach(const struct command *command, struct proof *proof)
{
    union address address;
    int fd = out_of_reach(&command->reach, &address);

    if (fd < 0)
        return;
    proof->tried |= FENCE(CONNECT);
    if (connect(fd, &address.base, address_length(&address)) < 0 && errno == EACCES)
        proof->refused |= FENCE(CONNECT);
    close(fd);
}

/* MFD_NOEXEC_SEAL is of kernel 6.3. */
static bool can_seal(void)
{
    struct probe kernel;

    probe_kernel(&kernel);
    return kernel.memfds_sealed;
}

/* Signals as a new program expects them, and a session without a terminal. */
static void start_afresh(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
}

static enum error prepare(const struct leader_options *options, int channel, int *listener,
                          struct proof_trial *trial, enum launch_step *step)
{
    const struct command *command = options->command;
    bool limited = command->executables[0] != NULL;
    struct filter_options filter = {.seal_memfds = command->seal_memfds || (limited && can_seal()),
                                    .limit_executables = limited,
                                    .limit_connects = reach_is_limited(&command->reach),
                                    .refuse_datagrams = command->reach.no_datagrams != 0,
                                    .record = options->record};
    uint64_t kept = options->user_namespace ? 0 : ROOT_KEEPS;
    uint32_t held =
        options->way_in >= 0 && tree_group_enter(options->way_in) == OK ? options->limits : 0;

    *step = STEP_STANDARD;
    start_afresh();
    if (set_standard(options->standard) != OK || close_others(channel) != OK)
        return ERROR_IO;
    take_terminal();
    *step = STEP_FENCES;
    if (capability_keep(kept) != OK || hold(command, trial) != OK)
        return ERROR_IO;
    limit_use(options, held, &trial->proof);
    *step = STEP_USER;
    if (become(command) != OK)
        return ERROR_IO;
    *step = STEP_DIRECTORY;
    if (chdir(command->directory) < 0)
        return ERROR_IO;
    *step = STEP_FENCES;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return ERROR_IO;
    *step = STEP_FILTER;
    return filter_load(&filter, listener);
}

/* What is in force with the filter, and whether it is all that is required. */
static enum error prove(const struct command *command, struct proof_trial *trial, struct proof *out)
{
    proof_try(trial, FENCE(ABSTRACT));
    proof_end(trial, out);
    if (reach_is_limited(&command->reach))
        prove_reach(command, out);
    errno = ENOTSUP;
    return (command->required & out->tried & ~out->refused) == 0 ? OK : ERROR_IO;
}

static _Noreturn void fail(int channel, enum launch_step step)
{
    struct leader_word word = {.step = step, .error = errno};

    (void)!passing_send(channel, &word, sizeof(word), NULL, 0);
    _exit(EXIT_FAILURE);
}

_Noreturn void leader_run(const struct leader_options *options, int channel)
{
    enum launch_step step = STEP_STANDARD;
    struct leader_word word = {0};
    struct proof_trial trial;
    int listener;
    char go;

    if (read(channel, &go, 1) != 1 || prepare(options, channel, &listener, &trial, &step) != OK)
        fail(channel, step);
    if (passing_send(channel, &word, sizeof(word), &listener, 1) != OK)
        fail(channel, STEP_FILTER);
    close(listener);
    if (prove(options->command, &trial, &word.proof) != OK)
        fail(channel, STEP_REQUIRED);
    if (passing_send(channel, &word, sizeof(word), &word.proof.status, word.proof.status >= 0) !=
        OK)
        fail(channel, STEP_FENCES);
    passing_close(&word.proof.status);
    if (options->program != NULL) {
        close(channel); /* as an execve would */
        _exit(options->program());
    }
    environ = options->command->environment;
    execvpe(options->command->arguments[0], options->command->arguments,
            options->command->environment);
    fail(channel, STEP_EXECUTE);
}
