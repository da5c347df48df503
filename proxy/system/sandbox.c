#include "system/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(fcntl), SCMP_SYS(ioctl),
    SCMP_SYS(lseek), SCMP_SYS(fstat),
    /* waiting */
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
    /* memory; mmap and mprotect are below */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
    /* time, randomness, itself */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(futex), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(tgkill), SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#ifdef SIDELOCK_SANITIZE
    /* What the sanitizers' runtime needs to report, and to look for leaks at exit. */
    SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield), SCMP_SYS(clone), SCMP_SYS(prctl), SCMP_SYS(ptrace), SCMP_SYS(wait4),
    SCMP_SYS(getdents64), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(open),
    SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(set_robust_list), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getppid), SCMP_SYS(pipe2), SCMP_SYS(process_vm_readv),
    SCMP_SYS(kill), SCMP_SYS(sched_getaffinity), SCMP_SYS(dup), SCMP_SYS(rseq),
#endif
};

/* Memory may be mapped, but none that can be executed: no injected code. */
static const int without_exec[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

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
    return error == OK ? drop_capabilities() : error;
}

enum error sandbox_enter(size_t max_descriptors)
{
    scmp_filter_ctx filter;
    enum error error = set_limit(RLIMIT_NOFILE, max_descriptors);

#ifndef SIDELOCK_SANITIZE
    /* The leak checker starts a thread of its own. */
    if (error == OK)
        error = set_limit(RLIMIT_NPROC, 0);
#endif
    if (error != OK)
        return error;
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; error == OK && i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, permitted[i], 0) < 0)
            error = ERROR_IO;
    }
    for (size_t i = 0; error == OK && i < sizeof(without_exec) / sizeof(without_exec[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, without_exec[i], 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
            error = ERROR_IO;
    }
    if (error == OK && seccomp_load(filter) < 0)
        error = ERROR_IO;
    seccomp_release(filter);
    return error;
}
