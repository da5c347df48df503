/*
 * Runs a program as on a kernel whose landlock(7) has another version, 0 for none, by a filter of
 * its own (seccomp(2), seccomp_unotify(2)):
 *
 *     sidelock_oldkernel VERSION PROGRAM [ARGUMENT...]
 *
 * What asks for the version is told that one, and a set of rules that is longer than the version
 * knows is refused. What such a kernel does not keep a process from, the program leaves out itself,
 * and so really can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAG_VERSION 1
#define FIELD(name)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
/* Where they are equal goes on, else skips so many. */
#define EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(action)     BPF_STMT(BPF_RET | BPF_K, action)

/* The size of `struct landlock_ruleset_attr` in such a kernel. */
static unsigned size_of(int version)
{
    if (version < 4)
        return 8;
    return version < 6 ? 16 : 24;
}

static int install(int version)
{
    struct sock_filter none[] = {
        FIELD(nr),
        EQUAL(SYS_landlock_create_ruleset, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_filter some[] = {
        FIELD(nr),
        EQUAL(SYS_landlock_create_ruleset, 6),
        FIELD(args[2]),
        EQUAL(FLAG_VERSION, 1),
        RETURN(SECCOMP_RET_USER_NOTIF),
        FIELD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, size_of(version), 0, 1),
        RETURN(SECCOMP_RET_ERRNO | E2BIG),
        RETURN(SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog of_none = {sizeof(none) / sizeof(none[0]), none};
    const struct sock_fprog of_some = {sizeof(some) / sizeof(some[0]), some};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        version > 0 ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0,
                        version > 0 ? &of_some : &of_none);
}

/* Until the program, whose pidfd this is, has ended. */
static void answer(int listener, int program, int version)
{
    struct pollfd polled[] = {{.fd = listener, .events = POLLIN},
                              {.fd = program, .events = POLLIN}};

    while (poll(polled, 2, -1) >= 0 && polled[1].revents == 0) {
        struct seccomp_notif asked = {0};
        struct seccomp_notif_resp told = {0};

        if (polled[0].revents == 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
            continue;
        told.id = asked.id;
        told.val = version;
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &told);
    }
}

/* Nobody's child, so that the program has those alone that it starts. */
static void start_answering(int listener, int version)
{
    int program = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t pid = fork();

    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        if (fork() != 0)
            _exit(0);
        for (int fd = 0; fd <= 2; fd++)
            dup2(nothing, fd);
        answer(listener, program, version);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    close(program);
    close(listener);
}

int main(int argc, char **argv)
{
    int version = argc > 2 ? (int)strtol(argv[1], NULL, 10) : -1;
    int listener = version >= 0 ? install(version) : -1;

    if (listener < 0) {
        perror("oldkernel");
        return 1;
    }
    if (version > 0)
        start_answering(listener, version);
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
