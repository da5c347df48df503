#include "system/sandbox.h"

#include "system/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Everything a running worker needs. Not here, on purpose: socket, connect,
 * bind, listen, open and its kin, execve, fork and clone, ptrace, kill of
 * others, and every call that names a path.
 */
static const int permitted[] = {
    /* descriptors it holds */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(accept4), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(lseek), SCMP_SYS(fstat),
    SCMP_SYS(dup), /* of a client's, to be shown to the broker */
    /* waiting */
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
    /* time, randomness, itself */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(futex), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group),
#ifdef SIDELOCK_SANITIZE
    /* What the sanitizers' runtime needs to report, and to look for leaks at exit. */
    SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield), SCMP_SYS(clone), SCMP_SYS(prctl), SCMP_SYS(ptrace), SCMP_SYS(wait4),
    SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(open),
    SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(set_robust_list), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getppid), SCMP_SYS(pipe2), SCMP_SYS(process_vm_readv),
    SCMP_SYS(kill), SCMP_SYS(sched_getaffinity), SCMP_SYS(rseq)
#endif
};

/*
 * Calls that are permitted with some arguments only: every comparison must
 * hold. Numbers that the kernel reads as 32 bits are compared as 32 bits.
 */
#define ARGUMENTS_MAX 3
#define INT_MASK      0xffffffffu

static const struct narrowed {
    int call;
    unsigned count;
    struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
} narrowed[] = {
    /* Memory may be mapped, but none that can be executed: no injected code. */
    {SCMP_SYS(mmap), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    {SCMP_SYS(mprotect), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
    /*
     * Nobody is dialled: MSG_FASTOPEN connects and sends in one, and SHUT_RD
     * makes an unconnected socket of a listener, fit for that.
     */
    {SCMP_SYS(sendto), 2, {{3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0}, {4, SCMP_CMP_EQ, 0, 0}}},
    {SCMP_SYS(sendmsg), 1, {{2, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0}}},
    {SCMP_SYS(shutdown), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, SHUT_WR}}},
    /*
     * What libuv does to a descriptor that it watches. Others
     * could type into the operator's terminal (TIOCSTI), have the kernel send
     * signals to other processes (F_SETOWN, FIOSETOWN) or load kernel modules
     * (TCP_ULP).
     */
    {SCMP_SYS(ioctl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, FIONBIO}}},
    {SCMP_SYS(fcntl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GETFL}}},
    {SCMP_SYS(fcntl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETFL}}},
    {SCMP_SYS(fcntl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, F_GETFD}}},
    {SCMP_SYS(fcntl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, F_SETFD}}},
    {SCMP_SYS(setsockopt),
     2,
     {{1, SCMP_CMP_MASKED_EQ, INT_MASK, IPPROTO_TCP},
      {2, SCMP_CMP_MASKED_EQ, INT_MASK, TCP_NODELAY}}},
#ifdef SIDELOCK_SANITIZE
    {SCMP_SYS(ioctl), 1, {{1, SCMP_CMP_MASKED_EQ, INT_MASK, TCGETS}}}, /* isatty, for a report */
#endif
};

static enum error drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++) {
        /* EINVAL: this kernel has fewer; EPERM: not held, so nothing to drop. */
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL && errno != EPERM)
            return ERROR_IO;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return ERROR_IO;
    return syscall(SYS_capset, &header, none) == 0 ? OK : ERROR_IO;
}

static enum error set_limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(resource, &limit) == 0 ? OK : ERROR_IO;
}

enum error sandbox_prepare(int first)
{
    enum error error;

    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return ERROR_IO;
    error = set_limit(RLIMIT_CORE, 0);
    if (error == OK)
        error = fence_without_rings();
    return error == OK ? drop_capabilities() : error;
}

static enum error add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, permitted[i], 0) < 0)
            return ERROR_IO;
    }
    for (size_t i = 0; i < sizeof(narrowed) / sizeof(narrowed[0]); i++) {
        if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, narrowed[i].call, narrowed[i].count,
                                   narrowed[i].arguments) < 0)
            return ERROR_IO;
    }
    /* abort() signals itself; nobody else is signalled. */
    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, (scmp_datum_t)getpid())) < 0)
        return ERROR_IO;
    /* The one call on the hot path whose arguments are looked at: ask for it first. */
    return seccomp_syscall_priority(filter, SCMP_SYS(sendto), UINT8_MAX) == 0 ? OK : ERROR_IO;
}

static enum error load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    enum error error;

    if (filter == NULL)
        return ERROR_MEMORY;
    error = add_rules(filter);
    /* Every thread there may be, and every way into the kernel. */
    if (error == OK &&
        (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) < 0 ||
         seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
         seccomp_load(filter) < 0))
        error = ERROR_IO;
    seccomp_release(filter);
    return error;
}

enum error sandbox_limit_memory(size_t more_bytes)
{
#ifdef SIDELOCK_SANITIZE
    (void)more_bytes; /* its shadow alone is larger than any limit */
    return OK;
#else
    char text[32] = "";
    unsigned long pages;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return ERROR_IO;
    pages = strtoul(text, NULL, 10);
    return set_limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more_bytes);
#endif
}

enum error sandbox_enter(size_t max_descriptors)
{
    enum error error = set_limit(RLIMIT_NOFILE, max_descriptors);

#ifndef SIDELOCK_SANITIZE
    /* The leak checker starts a thread of its own. */
    if (error == OK)
        error = set_limit(RLIMIT_NPROC, 0);
#endif
    return error == OK ? load_filter() : error;
}
