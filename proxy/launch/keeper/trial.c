#include "launch/keeper/trial.h"

#include "launch/keeper/filter.h"
#include "launch/keeper/loopback.h"
#include "launch/keeper/mounts.h"
#include "launch/keeper/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says at its end. */
struct trial_word {
    int step, error;
};

struct trial_who {
    uid_t uid;
    gid_t gid;
};

static bool make_mounts(int *step)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    int copy;

    *step = STEP_PROC;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", flags, NULL) < 0)
        return false;
    *step = STEP_ISLANDS;
    copy = mounts_copy(AT_FDCWD, "/proc", MOUNT_ATTR_RDONLY);
    return copy >= 0 && close(copy) == 0;
}

/* In the child, which is the first process of its namespaces; the order is the keeper's. */
static bool make_tree(const struct trial_who *who, int *step)
{
    *step = STEP_MAPS;
    if ((who->uid != 0 && nest_map(who->uid, who->gid) != OK) || !make_mounts(step))
        return false;
    *step = STEP_NETWORK;
    if (unshare(CLONE_NEWNET) < 0)
        return false;
    *step = STEP_LOOPBACK;
    return loopback_raise() == OK;
}

static bool load_filter(const struct trial_who *who, int *step)
{
    const struct filter_options options = {.seal_memfds = false};
    int listener;

    (void)who;
    *step = STEP_FILTER;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && filter_load(&options, &listener) == OK;
}

typedef bool (*trial_attempt)(const struct trial_who *who, int *step);

static _Noreturn void try_and_tell(trial_attempt attempt, const struct trial_who *who, int told)
{
    struct trial_word word = {.step = STEP_COUNT};
    int step = STEP_PARENT;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || !attempt(who, &step))
        word = (struct trial_word){.step = step, .error = errno};
    _exit(write(told, &word, sizeof(word)) == sizeof(word) ? 0 : 1);
}

static enum error hear(int told, struct trial *out)
{
    struct pollfd watched = {.fd = told, .events = POLLIN};
    struct trial_word word;
    int ready;

    do
        ready = poll(&watched, 1, TRIAL_DEADLINE_MS);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return ERROR_TIMEOUT;
    if (ready < 0 || read(told, &word, sizeof(word)) != sizeof(word))
        return ERROR_IO;
    out->passed = word.step == STEP_COUNT;
    out->step = (enum launch_step)word.step;
    out->error = word.error;
    return OK;
}

/* What the child has said; then it is gone, whether it has ended by itself or not. */
static enum error await(pid_t child, int told, struct trial *out)
{
    enum error error = hear(told, out);

    kill(child, SIGKILL); /* not waited for yet, so it is still ours */
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return error;
}

static enum error run(trial_attempt attempt, bool nested, struct trial *out)
{
    const struct trial_who who = {geteuid(), getegid()};
    int told[2], pidfd = -1;
    enum error error = OK;
    pid_t child = 0;

    *out = (struct trial){.step = STEP_CLONE};
    if (pipe2(told, O_CLOEXEC) < 0)
        return ERROR_IO;
    if (nested ? nest_clone(who.uid != 0, &child, &pidfd) != OK : (child = fork()) < 0)
        out->error = errno;
    else if (child == 0)
        try_and_tell(attempt, &who, told[1]);
    close(told[1]);
    if (child > 0)
        error = await(child, told[0], out);
    close(told[0]);
    if (pidfd >= 0)
        close(pidfd);
    return error;
}

enum error trial_namespaces(struct trial *out)
{
    return run(make_tree, true, out);
}

enum error trial_filter(struct trial *out)
{
    return run(load_filter, false, out);
}
