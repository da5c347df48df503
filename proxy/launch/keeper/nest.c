#include "launch/keeper/nest.h"

#include "launch/keeper/islands.h"
#include "launch/keeper/mounts.h"
#include "launch/keeper/terminals.h"
#include "launch/keeper/writes.h"
#include "system/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum error nest_clone(bool user, pid_t *child, int *pidfd)
{
    int fd = -1;
    struct clone_args arguments = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
                                            CLONE_PIDFD | (user ? CLONE_NEWUSER : 0u),
                                   .pidfd = (uint64_t)(uintptr_t)&fd,
                                   .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

    /* Filters that judge flags cannot see those of clone3(2), and say that there is none. */
    if (pid < 0 && errno == ENOSYS)
        pid = syscall(SYS_clone, (unsigned long)arguments.flags | SIGCHLD, NULL, &fd, NULL, 0UL);
    if (pid < 0)
        return ERROR_IO;
    *child = (pid_t)pid;
    *pidfd = fd;
    return OK;
}

static enum error write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written;

    if (fd < 0)
        return ERROR_IO;
    written = write(fd, text, strlen(text));
    close(fd);
    return written == (ssize_t)strlen(text) ? OK : ERROR_IO;
}

/*
 * One user and one group, those of the process outside: all that an ordinary user may map, and
 * he may map no group while he could still drop some (user_namespaces(7)).
 */
enum error nest_map(uid_t uid, gid_t gid)
{
    char text[64];
    enum error error;

    /* The files are root's as long as the process is not dumpable. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return ERROR_IO;
    error = write_file("/proc/self/setgroups", "deny");

    snprintf(text, sizeof(text), "%u %u 1", uid, uid);
    if (error == OK)
        error = write_file("/proc/self/uid_map", text);
    snprintf(text, sizeof(text), "%u %u 1", gid, gid);
    return error == OK ? write_file("/proc/self/gid_map", text) : error;
}

/*
 * A page of a file that a process of the tree serves, or a fault that it handles, would keep
 * whoever reads the tree's memory waiting, even through SIGKILL.
 */
static enum error hide_devices(void)
{
    static const char *const devices[] = {"/dev/fuse", "/dev/cuse", "/dev/userfaultfd"};

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (access(devices[i], F_OK) == 0 &&
            mount("/dev/null", devices[i], NULL, MS_BIND, NULL) < 0)
            return ERROR_IO;
    }
    return OK;
}

/* System V's objects and message queues are the tree's own, and so is what shows the latter. */
static enum error show_queues(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    struct stat facts;

    if (lstat("/dev/mqueue", &facts) < 0 || !S_ISDIR(facts.st_mode))
        return OK;
    return mount("mqueue", "/dev/mqueue", "mqueue", flags, NULL) == 0 ? OK : ERROR_IO;
}

/* Whose the directory was, if he exists in here: else it is the tree's own user's. */
static enum error lay_over(const char *path, const struct stat *facts)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char options[64];

    snprintf(options, sizeof(options), "mode=0700,size=1m,uid=%u,gid=%u", facts->st_uid,
             facts->st_gid);
    if (mount("tmpfs", path, "tmpfs", flags, options) == 0 ||
        mount("tmpfs", path, "tmpfs", flags, "mode=0700,size=1m") == 0)
        return OK;
    return ERROR_IO;
}

/* A directory that is private and empty, or nothing in the place of anything else. */
static enum error hide(const char *path)
{
    struct stat facts;

    if (stat(path, &facts) < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? OK : ERROR_IO;
    if (S_ISDIR(facts.st_mode))
        return lay_over(path, &facts);
    return mount("/dev/null", path, NULL, MS_BIND, NULL) == 0 ? OK : ERROR_IO;
}

/* With all that is mounted below. */
static enum error make_read_only(const char *path)
{
    int mount = mounts_copy(AT_FDCWD, path, MOUNT_ATTR_RDONLY);
    enum error error = mount >= 0 ? mounts_lay(mount, AT_FDCWD, path) : ERROR_IO;

    if (mount >= 0)
        close(mount);
    return error;
}

/* Below /proc whatever is no process: directories, and files that can be written. */
static bool is_switch(int proc, const char *name)
{
    struct stat facts;

    if (name[0] == '.' || (name[0] >= '0' && name[0] <= '9') ||
        fstatat(proc, name, &facts, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return S_ISDIR(facts.st_mode) ||
           (S_ISREG(facts.st_mode) && (facts.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) != 0);
}

/* The kernel's switches, where root needs no capability to turn them. */
static enum error keep_switches(void)
{
    DIR *proc = opendir("/proc");
    enum error error = proc != NULL ? OK : ERROR_IO;
    const struct dirent *entry;

    if (error == OK && access("/sys", F_OK) == 0)
        error = make_read_only("/sys");
    while (error == OK && (entry = readdir(proc)) != NULL) {
        char path[sizeof("/proc/") + sizeof(entry->d_name)];

        snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
        if (is_switch(dirfd(proc), entry->d_name))
            error = make_read_only(path);
    }
    if (proc != NULL)
        closedir(proc);
    return error;
}

/*
 * Whoever can write there changes the limits of his own tree and of others, or leaves his group;
 * and a child is begun in another group by whoever can so much as open that (clone3(2),
 * CLONE_INTO_CGROUP, which asks for no mount to be writable). So a tree with limits sees none.
 * Where another file system lies over one, nobody of the tree can take that away.
 */
static enum error fix_control_group(const struct command *command, const char *path)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

    if (command->memory_mib == 0 && command->processes == 0)
        return mounts_set(AT_FDCWD, path, MOUNT_ATTR_RDONLY);
    return mount("tmpfs", path, "tmpfs", flags, "mode=0555,size=4k") == 0 ? OK : ERROR_IO;
}

static enum error fix_control_groups(const struct command *command)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char line[CGROUP_LINE_BYTES];
    struct cgroup_mount found;
    struct statfs facts;
    enum error error = mounts != NULL ? OK : ERROR_IO;

    while (error == OK && fgets(line, sizeof(line), mounts) != NULL) {
        if (cgroup_read_mount(line, &found) && statfs(found.path, &facts) == 0 &&
            (facts.f_type == CGROUP_SUPER_MAGIC || facts.f_type == CGROUP2_SUPER_MAGIC))
            error = fix_control_group(command, found.path);
    }
    if (mounts != NULL)
        fclose(mounts);
    return error;
}

/* Mounts of the host that come later would neither be noexec nor read-only, so they do not come
 * where that counts. */
static unsigned long propagation_of(const struct command *command)
{
    return command->executables[0] != NULL || command->limit_writes ? MS_PRIVATE : MS_SLAVE;
}

enum error nest_mount(const struct command *command, const int standard[STANDARD_COUNT], bool user,
                      enum launch_step *step)
{
    *step = STEP_PROC;
    if (mount(NULL, "/", NULL, MS_REC | propagation_of(command), NULL) < 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return ERROR_IO;
    if (!user && keep_switches() != OK)
        return ERROR_IO;
    if (fix_control_groups(command) != OK)
        return ERROR_IO;
    *step = STEP_DEVICES;
    if (hide_devices() != OK || show_queues() != OK ||
        terminals_make(standard, STANDARD_COUNT) != OK)
        return ERROR_IO;
    *step = STEP_WRITES;
    if (writes_limit(command) != OK)
        return ERROR_IO;
    *step = STEP_ISLANDS;
    if (islands_make(command) != OK)
        return ERROR_IO;
    *step = STEP_HIDE;
    for (char **hidden = command->hidden; *hidden != NULL; hidden++) {
        if (hide(*hidden) != OK)
            return ERROR_IO;
    }
    return OK;
}
