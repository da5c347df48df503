/*
 * Runs a program as another kernel or a container would, by a filter of its own (seccomp(2)) and
 * answers of its own (ptrace(2)):
 *
 *     sidelock_oldkernel ANSWERS PROGRAM [ARGUMENT...]
 *
 *     7          landlock(7) has this version, 0: there is none. What asks for the version is told
 *                that one, and a set of rules that is longer than the version knows is refused.
 *                What such a kernel does not keep a process from, the program leaves out itself,
 *                and so really can do
 *     no-userns  nobody makes a user namespace: EPERM
 *     container  no namespace is made, entered or mounted in, as by the filter that container
 *                engines preset for whoever lacks CAP_SYS_ADMIN
 *     listened   another filter asks a supervisor already, so that no second one may
 *
 * For none but the last a listener of notifications is needed: the program may have its own.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAG_VERSION 1
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |     \
     CLONE_NEWCGROUP)
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
/* Where they are equal goes on, else skips so many. */
#define EQUAL(value, skip)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(action)       BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE(call, number) EQUAL(call, 1), RETURN(SECCOMP_RET_ERRNO | (number))
#define PROGRAM(filter)                                                                            \
    {                                                                                              \
        sizeof(filter) / sizeof((filter)[0]), filter                                               \
    }

enum { NO_USERNS = -1, CONTAINER = -2, LISTENED = -3, USAGE = -4 }; /* else a version */

/* The size of `struct landlock_ruleset_attr` in such a kernel. */
static unsigned size_of(int version)
{
    if (version < 4)
        return 8;
    return version < 6 ? 16 : 24;
}

static int install(int answers)
{
    static struct sock_filter no_landlock[] = {
        FIELD(nr),
        REFUSE(SYS_landlock_create_ruleset, ENOSYS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_filter old_landlock[] = {
        FIELD(nr),
        EQUAL(SYS_landlock_create_ruleset, 6),
        FIELD(args[2]),
        EQUAL(FLAG_VERSION, 1),
        RETURN(SECCOMP_RET_TRACE),
        FIELD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, size_of(answers), 0, 1),
        RETURN(SECCOMP_RET_ERRNO | E2BIG),
        RETURN(SECCOMP_RET_ALLOW),
    };
    static struct sock_filter no_userns[] = {
        FIELD(nr),
        REFUSE(SYS_clone3, ENOSYS), /* whose flags are in memory */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 1, 0),
        EQUAL(SYS_clone, 3),
        FIELD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        RETURN(SECCOMP_RET_ALLOW),
    };
    static struct sock_filter container[] = {
        FIELD(nr),
        REFUSE(SYS_clone3, ENOSYS),
        REFUSE(SYS_unshare, EPERM),
        REFUSE(SYS_setns, EPERM),
        REFUSE(SYS_mount, EPERM),
        REFUSE(SYS_umount2, EPERM),
        REFUSE(SYS_pivot_root, EPERM),
        EQUAL(SYS_clone, 3),
        FIELD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        RETURN(SECCOMP_RET_ALLOW),
    };
    static struct sock_filter listened[] = {
        FIELD(nr),
        EQUAL(SYS_swapon, 1),
        RETURN(SECCOMP_RET_USER_NOTIF),
        RETURN(SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filters[] = {PROGRAM(no_landlock), PROGRAM(old_landlock),
                                         PROGRAM(no_userns), PROGRAM(container), PROGRAM(listened)};
    int listener;
    const struct sock_fprog *filter = answers >= 0 ? &filters[answers > 0] : &filters[1 - answers];

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                            answers == LISTENED ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, filter);
    /* As long as somebody has it, it is the only one. */
    return answers == LISTENED && listener >= 0 ? fcntl(listener, F_SETFD, 0) : listener;
}

/* ---- Which version ---- */

/* The call is not made, and returns this. */
static void set_result(pid_t pid, long result)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof(registers)};

    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all) < 0)
        return;
#ifdef __x86_64__
    registers.orig_rax = (unsigned long long)-1;
    registers.rax = (unsigned long long)result;
#elif defined(__aarch64__)
    {
        int none = -1;
        struct iovec call = {&none, sizeof(none)};

        (void)ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &call);
        registers.regs[0] = (unsigned long long)result;
    }
#else
#error "how does a call return here?"
#endif
    (void)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all);
}

/* What has stopped goes on, or stays as a signal to stop left it. */
static void go_on(pid_t pid, int status, int version)
{
    int event = status >> 16, number = WSTOPSIG(status);
    bool stops = number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;

    if (event == PTRACE_EVENT_SECCOMP)
        set_result(pid, version);
    if (event == PTRACE_EVENT_STOP && stops)
        (void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
    else
        (void)ptrace(PTRACE_CONT, pid, NULL, event == 0 ? (uintptr_t)number : 0);
}

/* Until the program, and all that it has started, has ended. */
static void answer(pid_t program, int told, int version)
{
    const uintptr_t options =
        PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    int status = 0;
    pid_t pid;

    if (ptrace(PTRACE_SEIZE, program, NULL, options) < 0)
        return;
    (void)!write(told, "", 1);
    close(told);
    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (pid > 0 && WIFSTOPPED(status))
            go_on(pid, status, version);
    }
}

/* Nobody's child, so that the program has those alone that it starts. False: nobody answers. */
static bool start_answering(int version)
{
    pid_t program = getpid(), pid;
    int told[2];
    char byte;
    bool answered;

    if (pipe2(told, O_CLOEXEC) < 0)
        return false;
    (void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        if (fork() != 0)
            _exit(0);
        for (int fd = 0; fd <= 2; fd++)
            dup2(nothing, fd);
        close(told[0]);
        close_range(3, (unsigned)told[1] - 1, 0); /* whoever waits for their ends */
        close_range((unsigned)told[1] + 1, ~0u, 0);
        answer(program, told[1], version);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    close(told[1]);
    answered = read(told[0], &byte, 1) == 1;
    close(told[0]);
    return answered;
}

static int read_answers(const char *word)
{
    static const char *const words[] = {"no-userns", "container", "listened"};
    char *end;
    long version = strtol(word, &end, 10);

    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0)
            return NO_USERNS - i;
    }
    return end != word && *end == '\0' && version >= 0 && version < 100 ? (int)version : USAGE;
}

int main(int argc, char **argv)
{
    int answers = argc > 2 ? read_answers(argv[1]) : USAGE;

    if (answers == USAGE) {
        fprintf(stderr, "sidelock_oldkernel ANSWERS PROGRAM [ARGUMENT...]\n");
        return 64;
    }
    if ((answers > 0 && !start_answering(answers)) || install(answers) < 0) {
        perror("oldkernel");
        return 1;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
