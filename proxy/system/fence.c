#include "system/fence.h"

#include "system/user_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Everything that broker and launcher need, once they run. Not here, on purpose: execve and its
 * kin, fork, ptrace, kill, bind, listen, io_uring, mount, keys, modules, and whatever nobody has
 * asked for. Nor is a file's mode, owner, time or attribute changed: no Landlock knows of these, so
 * it would be any file's.
 */
static const int permitted[] = {
    /* descriptors */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(dup),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(memfd_create),
    SCMP_SYS(close_range),
    /* files: the way to those that are trusted is gone on foot */
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(getxattr),
    SCMP_SYS(lgetxattr),
    SCMP_SYS(fgetxattr),
    /* sockets that are there, and Unix sockets of services */
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    /* what they have started: none but those whose pidfd they were given */
    SCMP_SYS(pidfd_send_signal),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    /* time, randomness, itself */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#ifdef SIDELOCK_SANITIZE
    /* What the sanitizers' runtime needs to report, and to look for leaks at exit. */
    SCMP_SYS(clone),
    SCMP_SYS(prctl),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(getdents),
    SCMP_SYS(prlimit64),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(kill),
    SCMP_SYS(mprotect),
    SCMP_SYS(mmap),
#endif
};

/* The broker alone: its database and its log; Landlock says which files these may be. */
static const int of_broker[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),    SCMP_SYS(flock),     SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64),
    SCMP_SYS(pwrite64),  SCMP_SYS(pwritev),   SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),    SCMP_SYS(renameat),  SCMP_SYS(renameat2), SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),   SCMP_SYS(accept4),   SCMP_SYS(mlock),     SCMP_SYS(mlock2),
    SCMP_SYS(munlock),   SCMP_SYS(msync),     SCMP_SYS(umask),     SCMP_SYS(dup3),
};

#define INT_MASK  0xffffffffu
#define TYPE_MASK 0xfu /* beside it: SOCK_NONBLOCK, SOCK_CLOEXEC */

/* Permitted with one argument that is so. */
static const struct {
    int call;
    struct scmp_arg_cmp argument;
} narrowed[] = {
    {SCMP_SYS(socket), {0, SCMP_CMP_MASKED_EQ, INT_MASK, AF_UNIX}},
    /* Not to type into the operator's terminal (TIOCSTI). */
    {SCMP_SYS(ioctl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, FIONBIO}},
    {SCMP_SYS(ioctl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, TCGETS}},
    /* Neither to have the kernel signal others (F_SETOWN), nor to be told of what they open. */
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GETFD}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETFD}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GETFL}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETFL}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_DUPFD}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_DUPFD_CLOEXEC}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GETLK}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETLK}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETLKW}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_ADD_SEALS}},
    {SCMP_SYS(fcntl), {1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GET_SEALS}},
    /* Buffers and time-outs, but nothing that loads modules (TCP_ULP) or repairs TCP. */
    {SCMP_SYS(setsockopt), {1, SCMP_CMP_MASKED_EQ, INT_MASK, SOL_SOCKET}},
#ifndef SIDELOCK_SANITIZE
    /* Memory, but none that can be executed: no injected code. */
    {SCMP_SYS(mmap), {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
    {SCMP_SYS(mprotect), {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
#endif
};

#define CHANGES                                                                                    \
    (O_ACCMODE | O_CREAT | O_TRUNC) /* flags of open(2) that are not for reading alone */
#define READS  SCMP_CMP_MASKED_EQ, CHANGES, O_RDONLY
#define STREAM SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_STREAM

/* The launcher alone, with one argument or two that are so. */
static const struct {
    int call;
    struct scmp_arg_cmp arguments[2];
} of_launcher[] = {
    {SCMP_SYS(open), {{1, READS}}},
    {SCMP_SYS(openat), {{2, READS}}},
    /* Whether a port is anybody's on this host, and which addresses it has. */
    {SCMP_SYS(socket), {{0, SCMP_CMP_MASKED_EQ, INT_MASK, AF_INET}, {1, STREAM}}},
    {SCMP_SYS(socket), {{0, SCMP_CMP_MASKED_EQ, INT_MASK, AF_INET6}, {1, STREAM}}},
    {SCMP_SYS(socket),
     {{0, SCMP_CMP_MASKED_EQ, INT_MASK, AF_NETLINK},
      {2, SCMP_CMP_MASKED_EQ, INT_MASK, NETLINK_ROUTE}}},
    {SCMP_SYS(bind), {{0, SCMP_CMP_GE, 0, 0}}}, /* getifaddrs(3) does; nobody listens */
    {SCMP_SYS(setsockopt),
     {{1, SCMP_CMP_MASKED_EQ, INT_MASK, IPPROTO_TCP},
      {2, SCMP_CMP_MASKED_EQ, INT_MASK, TCP_NODELAY}}},
};

static enum error permit_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) < 0)
            return ERROR_IO;
    }
    return OK;
}

static enum error permit_common(scmp_filter_ctx filter)
{
    enum error error = permit_all(filter, permitted, sizeof(permitted) / sizeof(permitted[0]));

    for (size_t i = 0; error == OK && i < sizeof(narrowed) / sizeof(narrowed[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, narrowed[i].call, 1, narrowed[i].argument) < 0)
            return ERROR_IO;
    }
    if (error != OK ||
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, AF_NETLINK),
                         SCMP_A2(SCMP_CMP_MASKED_EQ, INT_MASK, NETLINK_SOCK_DIAG)) < 0)
        return ERROR_IO;
    /* abort() signals itself; nobody else is signalled. */
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, (scmp_datum_t)getpid())) == 0
               ? OK
               : ERROR_IO;
}

static enum error permit_broker(scmp_filter_ctx filter)
{
    enum error error = permit_common(filter);

    return error == OK ? permit_all(filter, of_broker, sizeof(of_broker) / sizeof(of_broker[0]))
                       : error;
}

static enum error permit_launcher(scmp_filter_ctx filter)
{
    if (permit_common(filter) != OK)
        return ERROR_IO;
    for (size_t i = 0; i < sizeof(of_launcher) / sizeof(of_launcher[0]); i++) {
        const struct scmp_arg_cmp *arguments = of_launcher[i].arguments;
        unsigned count = arguments[1].op != 0 ? 2 : 1;

        if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, of_launcher[i].call, count, arguments) <
            0)
            return ERROR_IO;
    }
    return OK;
}

/* ---- Of the process that looks at others ---- */

static const int looking[] = {
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(close),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlinkat),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(exit_group),
#ifdef SIDELOCK_SANITIZE
    /* What the sanitizers' runtime needs. */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(stat),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(clone),
    SCMP_SYS(prctl),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(getdents),
    SCMP_SYS(open),
    SCMP_SYS(readlink),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sched_yield),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(exit),
    SCMP_SYS(kill),
#endif
};

static enum error permit_looker(scmp_filter_ctx filter)
{
    static const scmp_datum_t commands[] = {F_GETFL, F_SETFD}; /* fdopendir(3) */
    static const scmp_datum_t changes = O_ACCMODE | O_CREAT | O_TRUNC;

    if (permit_all(filter, looking, sizeof(looking) / sizeof(looking[0])) != OK)
        return ERROR_IO;
#ifndef SIDELOCK_SANITIZE
    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                         SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
        return ERROR_IO;
#endif
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, INT_MASK, commands[i])) < 0)
            return ERROR_IO;
    }
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, changes, O_RDONLY)) == 0
               ? OK
               : ERROR_IO;
}

/* ---- Closing it ---- */

static enum error close_fence(enum error (*permit)(scmp_filter_ctx filter))
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    enum error error;

    if (filter == NULL)
        return ERROR_MEMORY;
    error = permit(filter);
    /* Looked up as in a tree: each admission makes calls whose arguments are compared. */
    if (error == OK && seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        error = ERROR_IO;
    /* Every thread there is, and every way into the kernel. */
    if (error == OK &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
         seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) < 0 ||
         seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
         seccomp_load(filter) < 0))
        error = ERROR_IO;
    seccomp_release(filter);
    return error;
}

enum error fence_without_rings(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    enum error error = OK;

    if (filter == NULL)
        return ERROR_MEMORY;
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0) < 0 ||
        seccomp_load(filter) < 0)
        error = ERROR_IO;
    seccomp_release(filter);
    return error;
}

/* Whoever names users and their groups has its libraries loaded: code is not mapped any more. */
enum error fence_calls(void)
{
    user_groups_load();
    return close_fence(permit_broker);
}

enum error fence_launcher_calls(void)
{
    user_groups_load();
    return close_fence(permit_launcher);
}

enum error fence_looker_calls(void)
{
    return close_fence(permit_looker);
}
