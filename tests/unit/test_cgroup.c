/* cgroup.c, strain.c: what the kernel writes of control groups is read as it means it. */
#include "system/cgroup.h"

#include "launch/strain.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

TEST(test_own_group)
{
    static const struct {
        const char *text, *group; /* NULL: none of version 2 */
    } cases[] = {
        {"0::/system.slice/sidelock.service\n", "/system.slice/sidelock.service"},
        {"12:pids:/a\n3:cpu,cpuacct:/b\n0::/c d\n", "/c d"},
        {"0::/\n", "/"},
        {"0::/last", "/last"},
        {"9:name=systemd:/\n8:pids:/\n", NULL},
        {"10::/not-of-version-2\n", NULL},
        {"0::relative\n", NULL},
        {"", NULL},
    };
    static char long_text[CGROUP_PATH_SIZE + 8];
    char group[CGROUP_PATH_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cgroup_read_own(cases[i].text, group), cases[i].group != NULL);
        if (cases[i].group != NULL)
            assert_string_equal(group, cases[i].group);
    }
    memset(long_text, 'x', sizeof(long_text) - 1);
    memcpy(long_text, "0::/", 4);
    assert_false(cgroup_read_own(long_text, group));
}

TEST(test_mounts)
{
    static const struct {
        const char *line, *root, *path; /* NULL: none */
        bool unified;
    } cases[] = {
        {"30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n", "/",
         "/sys/fs/cgroup", true},
        {"31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "/",
         "/sys/fs/cgroup/memory", false},
        {"30 24 0:26 /a\\040b /mnt/c\\134d rw - cgroup2 none rw\n", "/a b", "/mnt/c\\d", true},
        {"30 24 0:26 /../.. /sys/fs/cgroup rw - cgroup2 none rw", "/../..", "/sys/fs/cgroup", true},
        {"24 1 8:1 / / rw - ext4 /dev/sda1 rw\n", NULL, NULL, false},
        {"24 1 8:1 / /-\\040-\\040cgroup2 rw - tmpfs x rw\n", NULL, NULL, false},
        {"24 1 8:1 / / rw - cgroup2fs x rw\n", NULL, NULL, false},
        {"24 1 8:1 / / rw cgroup2 x rw\n", NULL, NULL, false},
        {"24 1 8:1\n", NULL, NULL, false},
        {" - cgroup2", NULL, NULL, false},
        {"", NULL, NULL, false},
    };
    struct cgroup_mount mount;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(cgroup_read_mount(cases[i].line, &mount), cases[i].root != NULL);
        if (cases[i].root == NULL)
            continue;
        assert_string_equal(mount.root, cases[i].root);
        assert_string_equal(mount.path, cases[i].path);
        assert_int_equal(mount.unified, cases[i].unified);
    }
}

TEST(test_places)
{
    static const struct {
        const char *root, *path, *group, *place; /* NULL: not below it */
    } cases[] = {
        {"/", "/sys/fs/cgroup", "/a/b", "/sys/fs/cgroup/a/b"},
        {"/", "/sys/fs/cgroup", "/", "/sys/fs/cgroup"},
        {"/a", "/mnt", "/a/b", "/mnt/b"},
        {"/a", "/mnt", "/a", "/mnt"},
        {"/a", "/mnt", "/ab", NULL},
        {"/a", "/mnt", "/", NULL},
        {"/", "/mnt", "/../a", NULL}, /* outside of this namespace */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cgroup_mount mount = {.unified = true};
        char place[CGROUP_PATH_SIZE];

        strcpy(mount.root, cases[i].root);
        strcpy(mount.path, cases[i].path);
        assert_int_equal(cgroup_place(&mount, cases[i].group, place), cases[i].place != NULL);
        if (cases[i].place != NULL)
            assert_string_equal(place, cases[i].place);
    }
}

TEST(test_words)
{
    assert_true(cgroup_has_word("cpuset cpu io memory pids\n", "memory"));
    assert_true(cgroup_has_word("pids\n", "pids"));
    assert_true(cgroup_has_word("memory", "memory"));
    assert_false(cgroup_has_word("memory_recursiveprot pid", "memory"));
    assert_false(cgroup_has_word("memory", "mem"));
    assert_false(cgroup_has_word("\n", "pids"));
    assert_false(cgroup_has_word("", "pids"));
}

TEST(test_events)
{
    static const char memory[] = "low 0\nhigh 0\nmax 31\noom 1\noom_kill %s\noom_group_kill 1\n";
    char text[128];

    snprintf(text, sizeof(text), memory, "0");
    assert_false(strain_memory(text));
    assert_int_equal(cgroup_count(text, "max"), 31);
    snprintf(text, sizeof(text), memory, "2");
    assert_true(strain_memory(text));
    /* It came near its limit, and gave back what could be given back. */
    assert_false(strain_memory("max 500\noom 0\noom_kill 0\n"));
    assert_false(strain_memory("xoom_kill 1\n"));
    assert_false(strain_memory("oom_kill"));
    assert_true(strain_processes("max 7\n"));
    assert_true(strain_processes("max 18446744073709551615"));
    assert_false(strain_processes("max 0\n"));
    assert_false(strain_processes("maximum 7\n"));
    assert_false(strain_processes(""));
}

/* ---- Which group a gate takes for its own ---- */

static char outer[256]; /* marked as delegated; "" where this host has no such groups to write to */

static void path_in(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s/%s", outer, name);
}

static bool write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

static void make_outer(void)
{
    char line[CGROUP_LINE_BYTES];
    struct cgroup_mount mount;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");

    outer[0] = '\0';
    while (mounts != NULL && outer[0] == '\0' && fgets(line, sizeof(line), mounts) != NULL) {
        if (!cgroup_read_mount(line, &mount) || !mount.unified)
            continue;
        snprintf(outer, sizeof(outer), "%.200s/test-%d", mount.path, getpid());
        if (mkdir(outer, 0755) != 0 || setxattr(outer, CGROUP_MARK, "1", 1, 0) != 0) {
            (void)rmdir(outer);
            outer[0] = '\0';
        }
    }
    if (mounts != NULL)
        fclose(mounts);
}

/* In a process of its own, which has been put into the group: what it found, and where it is. */
static void expect_prepared(const char *name, enum error wanted, const char *then)
{
    char group[512], procs[600], why[WHY_SIZE];
    pid_t child;
    int status;

    path_in(group, sizeof(group), name);
    assert_true(mkdir(group, 0755) == 0 || errno == EEXIST);
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[CGROUP_LINE_BYTES], own[CGROUP_PATH_SIZE];

        _exit(write_to(procs, "0") && cgroup_prepare(why) == wanted &&
                      cgroup_read_file(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) == OK &&
                      cgroup_read_own(text, own) && strcmp(strrchr(own, '/'), then) == 0
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

TEST(test_a_group_further_up_is_somebody_elses)
{
    static const char *const names[] = {"scope/sidelock-gate", "scope", "sidelock-gate"};
    char path[512];

    make_outer();
    if (outer[0] == '\0')
        skip();
    expect_prepared("scope", ERROR_NOT_FOUND, "/scope");
    expect_prepared("sidelock-gate", OK, "/sidelock-gate");
    expect_prepared(".", OK, "/sidelock-gate");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_in(path, sizeof(path), names[i]);
        (void)rmdir(path);
    }
    assert_int_equal(rmdir(outer), 0);
}
