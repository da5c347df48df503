/* trial.c, forbidding.c: what a tree is made of is tried, and what stood in its way is said. */
#include "launch/keeper/forbidding.h"
#include "launch/keeper/trial.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTHING                                                                                    \
    (struct forbidding)                                                                            \
    {                                                                                              \
        -1, -1, -1, -1, 0                                                                          \
    }

static const char *blamed(struct forbidding forbidding, enum launch_step step, int error, bool root,
                          char why[WHY_SIZE])
{
    return forbidding_blame(&forbidding, &(struct trial){.step = step, .error = error}, root, why);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

TEST(a_trial_leaves_no_process_and_no_descriptor)
{
    size_t before = count_descriptors();
    struct trial trial;

    assert_int_equal(trial_namespaces(&trial), OK);
    assert_true(trial.passed || trial.step < STEP_COUNT);
    assert_int_equal(trial_filter(&trial), OK);
    assert_true(trial.passed || trial.step == STEP_FILTER);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static int without_processes(void)
{
    const struct rlimit none = {0, 0};
    struct trial trial;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || trial_filter(&trial) != OK)
        return 3;
    return trial.passed || trial.step != STEP_CLONE || trial.error != EAGAIN;
}

TEST(what_cannot_begin_has_failed)
{
    assert_int_equal(unit_status_of(without_processes), 0);
}

TEST(the_switch_that_forbids_is_named_with_its_command)
{
    struct forbidding forbidding = NOTHING;
    char why[WHY_SIZE];

    forbidding.user_namespaces_max = 0;
    assert_non_null(strstr(blamed(forbidding, STEP_CLONE, ENOSPC, false, why),
                           "sysctl -w user.max_user_namespaces="));
    assert_non_null(strstr(why, "No space left on device: user.max_user_namespaces is 0"));
    forbidding = NOTHING;
    forbidding.unprivileged_namespaces = 0;
    assert_non_null(strstr(blamed(forbidding, STEP_CLONE, EPERM, false, why),
                           "sysctl -w kernel.unprivileged_userns_clone=1"));
    forbidding = NOTHING;
    forbidding.network_namespaces_max = 0;
    assert_non_null(strstr(blamed(forbidding, STEP_NETWORK, ENOSPC, false, why),
                           "sysctl -w user.max_net_namespaces="));
    forbidding = NOTHING;
    forbidding.apparmor_restricts = 1;
    assert_non_null(
        strstr(blamed(forbidding, STEP_MAPS, EPERM, false, why), "/etc/apparmor.d/sidelock"));
    assert_non_null(strstr(why, "apparmor_restrict_unprivileged_userns is 1"));
    forbidding = NOTHING;
    forbidding.filtered = 2;
    assert_non_null(strstr(blamed(forbidding, STEP_CLONE, EPERM, true, why), "seccomp=FILE"));
    assert_non_null(strstr(blamed(NOTHING, STEP_FILTER, EBUSY, false, why), "outside"));
}

/* Several may be set, and the one counts that this step meets. */
TEST(nothing_is_blamed_that_did_not_forbid)
{
    const struct forbidding all = {0, 0, 0, 1, 2};
    char why[WHY_SIZE];

    /* Root needs none of the unprivileged. */
    assert_non_null(strstr(blamed(all, STEP_CLONE, EPERM, true, why), "seccomp"));
    /* A filter that let the namespaces be made is not what refuses their use. */
    assert_non_null(strstr(
        blamed((struct forbidding){-1, -1, 1, 1, 2}, STEP_MAPS, EPERM, false, why), "apparmor"));
    /* A container's, of a host whose AppArmor restricts as well. */
    assert_non_null(strstr(
        blamed((struct forbidding){-1, -1, 1, 1, 2}, STEP_CLONE, EPERM, false, why), "seccomp"));
    /* A masked /proc has its own remedy. */
    assert_string_equal(blamed((struct forbidding){-1, -1, 1, 0, 2}, STEP_PROC, EPERM, false, why),
                        step_remedy(STEP_PROC));
    assert_string_equal(blamed(NOTHING, STEP_CLONE, ENOMEM, false, why), step_remedy(STEP_CLONE));
}

TEST(switches_are_read)
{
    struct forbidding forbidding;

    forbidding_read(&forbidding);
    assert_true(forbidding.user_namespaces_max >= 0);
    assert_in_range(forbidding.filtered, 0, 2);
}
