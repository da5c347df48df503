#include "launch/keeper/fence.h"

#include "launch/common/bpf.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int permitted[] = {
    /* its channels, its tree's calls, their sockets */
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_ppoll,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendto,
    SYS_recvfrom,
    SYS_fcntl,
    SYS_socket,
    SYS_socketpair,
    SYS_fchown,
    SYS_bind,
    SYS_listen,
    SYS_connect,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_memfd_create,
    SYS_epoll_ctl,
    SYS_dup3,
    /* what it looks at */
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_openat,
    SYS_openat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_fstat,
    SYS_fstatfs,
    SYS_newfstatat,
    SYS_lseek,
    /* its children, and as whom they do what was asked for; their end */
    SYS_wait4,
    SYS_kill,
    SYS_set_robust_list,
    SYS_fchdir,
    SYS_chroot,
    SYS_umask,
    SYS_setgroups,
    SYS_setresuid,
    SYS_setresgid,
    SYS_geteuid,
    SYS_getegid,
    SYS_capget,
    SYS_capset,
    SYS_exit,
    SYS_exit_group,
    /* itself */
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_futex,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_getrandom,
    SYS_clock_gettime,
#ifdef __x86_64__
    SYS_poll,
    SYS_dup2,
#endif
};

#define IOCTL_KIND_MASK 0xff00u /* ioctl(2): the second byte says whose it is */

/* A process of its own kind: no new namespaces, and no vfork to execute in. */
#define NOT_FORK                                                                                   \
    (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP | CLONE_VM)

static const struct sock_filter forks[] = {
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NOT_FORK, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    RETURN(SECCOMP_RET_ALLOW),
};

static const struct sock_filter maps[] = {
    ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    RETURN(SECCOMP_RET_ALLOW),
};

/* Of seccomp's listener alone: others type into terminals, or send signals. */
static const struct sock_filter controls[] = {
    ARGUMENT(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, IOCTL_KIND_MASK),
    IF_IS(SECCOMP_IOC_MAGIC << 8, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_KILL_PROCESS),
};

static const struct narrowed {
    int call;
    const struct sock_filter *block;
    size_t length;
} narrowed[] = {
    {SYS_ioctl, controls, sizeof(controls) / sizeof(controls[0])},
    {SYS_clone, forks, sizeof(forks) / sizeof(forks[0])},
    {SYS_mmap, maps, sizeof(maps) / sizeof(maps[0])},
    {SYS_mprotect, maps, sizeof(maps) / sizeof(maps[0])},
};

size_t fence_build(struct sock_filter out[FENCE_MAX])
{
    static const struct sock_filter preamble[] = {PREAMBLE};
    size_t length = sizeof(preamble) / sizeof(preamble[0]);

    memcpy(out, preamble, sizeof(preamble));
    for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
        out[length++] = (struct sock_filter)IF_IS(permitted[i], 0, 1);
        out[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < sizeof(narrowed) / sizeof(narrowed[0]); i++) {
        out[length++] =
            (struct sock_filter)IF_IS(narrowed[i].call, 0, (unsigned char)narrowed[i].length);
        memcpy(out + length, narrowed[i].block, narrowed[i].length * sizeof(out[0]));
        length += narrowed[i].length;
    }
    out[length++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
    return length;
}

enum error fence_close(void)
{
#ifndef SIDELOCK_SANITIZE
    struct sock_filter code[FENCE_MAX];
    struct sock_fprog program = {.len = (unsigned short)fence_build(code), .filter = code};

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        return ERROR_IO;
#endif
    return OK;
}
