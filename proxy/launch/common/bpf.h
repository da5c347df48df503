/* The words that filters of system calls are written in (seccomp(2), classic BPF). */
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#if defined(__x86_64__)
#define ARCHITECTURE  AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u /* x32: the same architecture, other numbers */
#elif defined(__aarch64__)
#define ARCHITECTURE  AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0xffffffffu
#else
#error "the filter knows x86_64 and aarch64"
#endif

/* Of an argument the lower half: the kernel reads these as int. Both architectures are little. */
#define ARGUMENT(index)                                                                            \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args[index]))
#define FIELD(name)                                                                                \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, name))
#define RETURN(value)  BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(number) RETURN(SECCOMP_RET_ERRNO | (number))
#define IF_IS(value, then, otherwise)                                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), (then), (otherwise))

/* Another architecture ends the process; else the call's number is what comparisons are with. */
#define PREAMBLE                                                                                   \
    FIELD(arch), IF_IS(ARCHITECTURE, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), FIELD(nr),           \
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
