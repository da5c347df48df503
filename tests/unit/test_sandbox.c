/*
 * sandbox.c: a child for every call that a worker may not make, which must not
 * survive it; and one that makes those it needs.
 */
#include "base/secret.h"
#include "ipc/channel.h"
#include "system/caller.h"
#include "system/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SURVIVED    99
#define NOT_ENTERED 98
#define FIRST_SPARE 200 /* descriptors from here on are not the child's */
#define DESCRIPTORS 256
#define MEBIBYTE    (1024 * 1024)
#define DEADLINE_S  20

#ifdef SIDELOCK_SANITIZE
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Made before the sandbox closes, for the calls that need a descriptor or memory. */
static struct {
    int listener, client, stream[2], datagram, pipe[2], epoll;
    struct sockaddr_in address; /* of the listener */
    void *page;
    pid_t parent;
} held;

static int make_listener(struct sockaddr_in *address)
{
    socklen_t length = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static int make_client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&held.address, sizeof(held.address)), 0);
    return fd;
}

static int set_up(void **state)
{
    (void)state;
    held.listener = make_listener(&held.address);
    held.client = make_client();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, held.stream), 0);
    held.datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(pipe2(held.pipe, O_CLOEXEC), 0);
    held.epoll = epoll_create1(EPOLL_CLOEXEC);
    held.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(held.datagram >= 0 && held.epoll >= 0 && held.page != MAP_FAILED);
    held.parent = getpid();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(held.listener);
    close(held.client);
    close(held.stream[0]);
    close(held.stream[1]);
    close(held.datagram);
    close(held.pipe[0]);
    close(held.pipe[1]);
    close(held.epoll);
    munmap(held.page, 4096);
    return 0;
}

/* In a child: ends it with a number that the parent prints. */
static void require(bool holds, int step)
{
    if (!holds)
        _exit(step);
}

static void enter(void)
{
    if (sandbox_prepare(FIRST_SPARE) != OK || sandbox_enter(DESCRIPTORS) != OK)
        _exit(NOT_ENTERED);
}

/* How a child ends that runs `body` and then exits with SURVIVED. */
static int status_of(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        alarm(DEADLINE_S);
        body();
        _exit(SURVIVED);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_exit(void (*body)(void), int code)
{
    int status = status_of(body);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("ended by %s %d", WIFEXITED(status) ? "exit" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* ---- What is forbidden ---- */

#define CALL(name, ...)                                                                            \
    static void call_##name(void)                                                                  \
    {                                                                                              \
        syscall(__VA_ARGS__);                                                                      \
    }

static const char path[] = "/nowhere/sidelock-test";
static char *const no_strings[] = {NULL};
static struct sockaddr_un unix_address = {.sun_family = AF_UNIX};

CALL(execve, SYS_execve, "/bin/true", no_strings, no_strings)
CALL(execveat, SYS_execveat, AT_FDCWD, "/bin/true", no_strings, no_strings, 0)
CALL(openat, SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0)
CALL(openat2, SYS_openat2, AT_FDCWD, "/dev/null", held.page, 24)
CALL(open_by_handle_at, SYS_open_by_handle_at, AT_FDCWD, held.page, O_RDONLY)
CALL(unlinkat, SYS_unlinkat, AT_FDCWD, path, 0)
CALL(renameat2, SYS_renameat2, AT_FDCWD, path, AT_FDCWD, path, 0)
CALL(linkat, SYS_linkat, AT_FDCWD, path, AT_FDCWD, path, 0)
CALL(symlinkat, SYS_symlinkat, path, AT_FDCWD, path)
CALL(mkdirat, SYS_mkdirat, AT_FDCWD, path, 0700)
CALL(mknodat, SYS_mknodat, AT_FDCWD, path, 0600, 0)
CALL(fchmodat, SYS_fchmodat, AT_FDCWD, path, 0600)
CALL(fchmod, SYS_fchmod, held.pipe[0], 0600)
CALL(fchownat, SYS_fchownat, AT_FDCWD, path, 0, 0, 0)
CALL(faccessat, SYS_faccessat, AT_FDCWD, path, R_OK)
CALL(readlinkat, SYS_readlinkat, AT_FDCWD, path, held.page, 16)
CALL(newfstatat, SYS_newfstatat, AT_FDCWD, path, held.page, 0)
CALL(statx, SYS_statx, AT_FDCWD, path, 0, 0, held.page)
CALL(getdents64, SYS_getdents64, held.pipe[0], held.page, 4096)
CALL(getcwd, SYS_getcwd, held.page, 4096)
CALL(chdir, SYS_chdir, "/")
CALL(chroot, SYS_chroot, "/")
CALL(mount, SYS_mount, "none", path, "tmpfs", 0, NULL)
CALL(umount2, SYS_umount2, path, MNT_DETACH)
CALL(pivot_root, SYS_pivot_root, path, path)
CALL(truncate, SYS_truncate, path, 0)
CALL(memfd_create, SYS_memfd_create, "x", 0)
CALL(inotify, SYS_inotify_init1, 0)

CALL(socket, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
CALL(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
CALL(socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
CALL(socketpair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, held.page)
CALL(connect, SYS_connect, held.datagram, &held.address, sizeof(held.address))
CALL(bind, SYS_bind, held.datagram, &held.address, sizeof(held.address))
CALL(listen, SYS_listen, held.listener, 8)
CALL(sendmmsg, SYS_sendmmsg, held.datagram, held.page, 1, 0)
CALL(recvmmsg, SYS_recvmmsg, held.datagram, held.page, 1, 0, NULL)
CALL(sendto_address, SYS_sendto, held.datagram, "x", 1, 0, &held.address, sizeof(held.address))
CALL(sendto_unix, SYS_sendto, held.stream[0], "x", 1, 0, &unix_address, sizeof(unix_address))
CALL(sendto_fastopen, SYS_sendto, held.client, "x", 1, MSG_FASTOPEN, NULL, 0)
CALL(sendmsg_fastopen, SYS_sendmsg, held.client, held.page, MSG_FASTOPEN)
CALL(shutdown_listener, SYS_shutdown, held.listener, SHUT_RD)
CALL(shutdown_both, SYS_shutdown, held.listener, SHUT_RDWR)
CALL(setsockopt_ulp, SYS_setsockopt, held.client, IPPROTO_TCP, TCP_ULP, "tls", 4)
CALL(setsockopt_fastopen, SYS_setsockopt, held.client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, held.page,
     4)
CALL(setsockopt_filter, SYS_setsockopt, held.client, SOL_SOCKET, SO_ATTACH_FILTER, held.page,
     sizeof(struct sock_fprog))
CALL(setsockopt_ip, SYS_setsockopt, held.client, IPPROTO_IP, TCP_NODELAY, held.page, 4)
CALL(ioctl_terminal, SYS_ioctl, 0, TIOCSTI, "x")
CALL(ioctl_owner, SYS_ioctl, held.client, FIOSETOWN, held.page)
CALL(ioctl_interfaces, SYS_ioctl, held.datagram, SIOCGIFCONF, held.page)
CALL(fcntl_owner, SYS_fcntl, held.pipe[0], F_SETOWN, held.parent)
CALL(fcntl_signal, SYS_fcntl, held.pipe[0], F_SETSIG, SIGKILL)
CALL(fcntl_duplicate, SYS_fcntl, held.pipe[0], F_DUPFD, 0)
CALL(fcntl_lease, SYS_fcntl, held.pipe[0], F_SETLEASE, F_RDLCK)
CALL(fcntl_pipe_size, SYS_fcntl, held.pipe[0], F_SETPIPE_SZ, MEBIBYTE)
CALL(dup, SYS_dup, held.pipe[0])
CALL(dup3, SYS_dup3, held.pipe[0], held.pipe[1], 0)
CALL(pipe2, SYS_pipe2, held.page, 0)
CALL(epoll_create1, SYS_epoll_create1, 0)
CALL(eventfd2, SYS_eventfd2, 0, 0)
CALL(splice, SYS_splice, held.pipe[0], NULL, held.pipe[1], NULL, 1, 0)
CALL(io_uring, SYS_io_uring_setup, 8, held.page)
CALL(io_setup, SYS_io_setup, 8, held.page)

CALL(clone, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
CALL(clone3, SYS_clone3, held.page, 64)
CALL(ptrace, SYS_ptrace, 16 /* PTRACE_ATTACH */, held.parent, NULL, NULL)
CALL(process_vm_readv, SYS_process_vm_readv, held.parent, NULL, 0, NULL, 0, 0)
CALL(process_vm_writev, SYS_process_vm_writev, held.parent, NULL, 0, NULL, 0, 0)
CALL(kill, SYS_kill, held.parent, 0)
CALL(tkill, SYS_tkill, held.parent, 0)
CALL(tgkill, SYS_tgkill, held.parent, held.parent, 0)
CALL(rt_sigqueueinfo, SYS_rt_sigqueueinfo, held.parent, 0, held.page)
CALL(pidfd_open, SYS_pidfd_open, held.parent, 0)
CALL(pidfd_getfd, SYS_pidfd_getfd, held.pipe[0], 0, 0)
CALL(wait4, SYS_wait4, -1, NULL, WNOHANG, NULL)
CALL(prctl, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
CALL(seccomp, SYS_seccomp, 1, 0, held.page)
CALL(setuid, SYS_setuid, 0)
CALL(setresuid, SYS_setresuid, 0, 0, 0)
CALL(setgroups, SYS_setgroups, 0, NULL)
CALL(capset, SYS_capset, held.page, held.page)
CALL(setns, SYS_setns, held.pipe[0], 0)
CALL(unshare, SYS_unshare, 0)
CALL(prlimit64, SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, held.page)
CALL(setrlimit, SYS_setrlimit, RLIMIT_CORE, held.page)
CALL(setpriority, SYS_setpriority, PRIO_PROCESS, 0, 1)
CALL(personality, SYS_personality, 0xffffffff)

CALL(mmap_exec, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(mmap_all, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(mprotect_exec, SYS_mprotect, held.page, 4096, PROT_READ | PROT_EXEC)
CALL(pkey_mprotect, SYS_pkey_mprotect, held.page, 4096, PROT_READ | PROT_EXEC, -1)
CALL(remap_file_pages, SYS_remap_file_pages, held.page, 4096, 0, 0, 0)
CALL(bpf, SYS_bpf, 0, held.page, 16)
CALL(userfaultfd, SYS_userfaultfd, 0)
CALL(perf_event_open, SYS_perf_event_open, held.page, 0, -1, -1, 0)
CALL(keyctl, SYS_keyctl, 0, 0)
CALL(add_key, SYS_add_key, "user", "x", "x", 1, 0)
CALL(init_module, SYS_init_module, held.page, 1, "")
CALL(reboot, SYS_reboot, 0, 0, 0, NULL)
CALL(clock_settime, SYS_clock_settime, CLOCK_REALTIME, held.page)
CALL(unknown, 100000)
#ifdef SYS_open
CALL(open, SYS_open, "/dev/null", O_RDONLY)
CALL(creat, SYS_creat, path, 0600)
CALL(unlink, SYS_unlink, path)
CALL(rename, SYS_rename, path, path)
CALL(chmod, SYS_chmod, path, 0600)
CALL(stat, SYS_stat, path, held.page)
CALL(access, SYS_access, path, R_OK)
CALL(readlink, SYS_readlink, path, held.page, 16)
CALL(accept, SYS_accept, held.listener, NULL, NULL)
CALL(fork, SYS_fork)
CALL(arch_prctl, SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, 0)
CALL(x32_getpid, 0x40000000 | SYS_getpid)
CALL(x32_execve, 0x40000000 | 520, "/bin/true", no_strings, no_strings)
#endif

struct forbidden {
    const char *name;
    void (*call)(void);
    bool needed_by_sanitizers; /* see sandbox.c */
};

#define FORBID(name)                                                                               \
    {                                                                                              \
#name, call_##name, false                                                                  \
    }
#define FORBID_UNLESS_SANITIZED(name)                                                              \
    {                                                                                              \
#name, call_##name, true                                                                   \
    }

static const struct forbidden forbidden[] = {
    FORBID(execve),
    FORBID(execveat),
    FORBID_UNLESS_SANITIZED(openat),
    FORBID(openat2),
    FORBID(open_by_handle_at),
    FORBID(unlinkat),
    FORBID(renameat2),
    FORBID(linkat),
    FORBID(symlinkat),
    FORBID(mkdirat),
    FORBID(mknodat),
    FORBID(fchmodat),
    FORBID(fchmod),
    FORBID(fchownat),
    FORBID(faccessat),
    FORBID_UNLESS_SANITIZED(readlinkat),
    FORBID_UNLESS_SANITIZED(newfstatat),
    FORBID(statx),
    FORBID_UNLESS_SANITIZED(getdents64),
    FORBID(getcwd),
    FORBID(chdir),
    FORBID(chroot),
    FORBID(mount),
    FORBID(umount2),
    FORBID(pivot_root),
    FORBID(truncate),
    FORBID(memfd_create),
    FORBID(inotify),
    FORBID(socket),
    FORBID(socket_inet),
    FORBID(socket_netlink),
    FORBID(socketpair),
    FORBID(connect),
    FORBID(bind),
    FORBID(listen),
    FORBID(sendmmsg),
    FORBID(recvmmsg),
    FORBID(sendto_address),
    FORBID(sendto_unix),
    FORBID(sendto_fastopen),
    FORBID(sendmsg_fastopen),
    FORBID(shutdown_listener),
    FORBID(shutdown_both),
    FORBID(setsockopt_ulp),
    FORBID(setsockopt_fastopen),
    FORBID(setsockopt_filter),
    FORBID(setsockopt_ip),
    FORBID(ioctl_terminal),
    FORBID(ioctl_owner),
    FORBID(ioctl_interfaces),
    FORBID(fcntl_owner),
    FORBID(fcntl_signal),
    FORBID(fcntl_duplicate),
    FORBID(fcntl_lease),
    FORBID(fcntl_pipe_size),
    FORBID_UNLESS_SANITIZED(dup),
    FORBID(dup3),
    FORBID_UNLESS_SANITIZED(pipe2),
    FORBID(epoll_create1),
    FORBID(eventfd2),
    FORBID(splice),
    FORBID(io_uring),
    FORBID(io_setup),
    FORBID_UNLESS_SANITIZED(clone),
    FORBID(clone3),
    FORBID_UNLESS_SANITIZED(ptrace),
    FORBID_UNLESS_SANITIZED(process_vm_readv),
    FORBID(process_vm_writev),
    FORBID_UNLESS_SANITIZED(kill),
    FORBID(tkill),
    FORBID(tgkill),
    FORBID(rt_sigqueueinfo),
    FORBID(pidfd_open),
    FORBID(pidfd_getfd),
    FORBID_UNLESS_SANITIZED(wait4),
    FORBID_UNLESS_SANITIZED(prctl),
    FORBID(seccomp),
    FORBID(setuid),
    FORBID(setresuid),
    FORBID(setgroups),
    FORBID(capset),
    FORBID(setns),
    FORBID(unshare),
    FORBID_UNLESS_SANITIZED(prlimit64),
    FORBID(setrlimit),
    FORBID(setpriority),
    FORBID(personality),
    FORBID(mmap_exec),
    FORBID(mmap_all),
    FORBID(mprotect_exec),
    FORBID(pkey_mprotect),
    FORBID(remap_file_pages),
    FORBID(bpf),
    FORBID(userfaultfd),
    FORBID(perf_event_open),
    FORBID(keyctl),
    FORBID(add_key),
    FORBID(init_module),
    FORBID(reboot),
    FORBID(clock_settime),
    FORBID(unknown),
#ifdef SYS_open
    FORBID_UNLESS_SANITIZED(open),
    FORBID(creat),
    FORBID(unlink),
    FORBID(rename),
    FORBID(chmod),
    FORBID_UNLESS_SANITIZED(stat),
    FORBID(access),
    FORBID_UNLESS_SANITIZED(readlink),
    FORBID(accept),
    FORBID(fork),
    FORBID(arch_prctl),
    FORBID(x32_getpid),
    FORBID(x32_execve),
#endif
};

static void (*wanted_call)(void);

static void enter_and_call(void)
{
    enter();
    wanted_call();
}

static void test_forbidden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        int status;

        if (SANITIZED && forbidden[i].needed_by_sanitizers)
            continue;
        wanted_call = forbidden[i].call;
        status = status_of(enter_and_call);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: ended by %s %d", forbidden[i].name, WIFEXITED(status) ? "exit" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

#ifdef __x86_64__
/* The 32-bit door to the kernel, where numbers mean other calls: 11 is execve. */
static void call_32_bit(void)
{
    long result = 11;

    enter();
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "memory");
}

static void test_32_bit(void **state)
{
    int status = status_of(call_32_bit);

    (void)state;
    /* SIGSEGV: this kernel has no such door. */
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}
#endif

/* A thread that was there before the sandbox closed is inside as well. */
static void *call_from_thread(void *unused)
{
    char byte;

    if (read(held.pipe[0], &byte, 1) == 1)
        syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    _exit(SURVIVED);
    return unused;
}

static void enter_beside_thread(void)
{
    pthread_t thread;

    require(pthread_create(&thread, NULL, call_from_thread, NULL) == 0, 1);
    enter();
    require(write(held.pipe[1], "x", 1) == 1, 2);
    for (;;)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

static void test_all_threads(void **state)
{
    int status = status_of(enter_beside_thread);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* ---- What is permitted ---- */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static void use_streams(struct caller_lookup *lookup, uint32_t ourselves)
{
    char byte = 0;
    uint32_t uid;
    int on = 1, error = 1;
    socklen_t length = sizeof(error);
    int fd = accept4(held.listener, NULL, NULL, SOCK_CLOEXEC);
    struct sockaddr_in address;
    socklen_t address_length = sizeof(address);

    require(fd >= 0, 10);
    require(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, 11);
    require(ioctl(fd, FIONBIO, &on) == 0, 12);
    require((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, 13);
    require(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0, 14);
    require(getsockname(fd, (struct sockaddr *)&address, &address_length) == 0, 15);
    require(getpeername(fd, (struct sockaddr *)&address, &address_length) == 0, 16);
    require(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0, 17);
    require(caller_uid(lookup, fd, &uid) == OK && uid == ourselves, 7);
    require(send(fd, "x", 1, MSG_NOSIGNAL) == 1, 18);
    require(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN, 19);
    require(write(held.pipe[1], "y", 1) == 1 && read(held.pipe[0], &byte, 1) == 1, 20);
    require(byte == 'y', 21);
    require(shutdown(fd, SHUT_WR) == 0 && close(fd) == 0, 22);
}

static void wait_for_events(void)
{
    struct epoll_event event = {.events = EPOLLOUT};

    require(epoll_ctl(held.epoll, EPOLL_CTL_ADD, held.pipe[1], &event) == 0, 30);
    require(epoll_wait(held.epoll, &event, 1, 1000) == 1, 31);
    require(epoll_pwait(held.epoll, &event, 1, 1000, NULL) == 1, 32);
    require(nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL) == 0, 33);
}

static void use_memory(void)
{
    volatile char *block = malloc(MEBIBYTE);

    require(block != NULL, 40);
    block[MEBIBYTE - 1] = 1;
    block = realloc((void *)(uintptr_t)block, (size_t)16 * MEBIBYTE);
    require(block != NULL && block[MEBIBYTE - 1] == 1, 41);
    block[16 * MEBIBYTE - 1] = 1;
    free((void *)(uintptr_t)block);
    require(mprotect(held.page, 4096, PROT_READ) == 0, 42);
}

static void use_clock_and_random(void)
{
    struct timespec now;
    unsigned char bytes[16];

    require(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0, 50);
    require(time(NULL) > 0, 51);
    require(syscall(SYS_getrandom, bytes, sizeof(bytes), 0) == sizeof(bytes), 52);
    require(secret_random(bytes, sizeof(bytes)) == OK, 53);
    require(getpid() > 1, 54);
    require(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL) == 0, 55);
    require(raise(SIGUSR1) == 0 && caught == SIGUSR1, 56); /* tgkill of itself */
}

/* Everything a worker does, with the project's own means. */
static void live_inside(void)
{
    struct caller_lookup *lookup;
    struct channel *channel, *other;
    struct ipc_writer message = {.bytes = (unsigned char[]){1}, .length = 1};
    const void *bytes;
    unsigned char room[16];
    uint32_t ourselves = getuid();
    size_t length;
    int fd;

    require(caller_lookup_create(&lookup) == OK, 1);
    require(channel_create(held.stream[0], &channel) == OK, 2);
    require(channel_create(held.stream[1], &other) == OK, 3);
    require(channel_send(other, &message, held.datagram) == OK, 4);
    require(secret_random(room, sizeof(room)) == OK, 8); /* OpenSSL reads its files now */
    enter();
    require(channel_receive(channel, &bytes, &length, &fd) == OK && length == 1 && fd >= 0, 5);
    require(channel_send(channel, &message, -1) == OK, 6);
    use_streams(lookup, ourselves);
    wait_for_events();
    use_memory();
    use_clock_and_random();
}

static void test_permitted(void **state)
{
    (void)state;
    expect_exit(live_inside, SURVIVED);
}

static void exit_inside(void)
{
    enter();
    _exit(0);
}

static void abort_inside(void)
{
    enter();
    abort();
}

static void test_ends_of_its_own(void **state)
{
    int status = status_of(abort_inside);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    expect_exit(exit_inside, 0);
}

/* ---- What it has given up ---- */

static void close_from(void)
{
    int low = dup2(held.pipe[0], FIRST_SPARE - 1), high = dup2(held.pipe[0], FIRST_SPARE);

    require(low >= 0 && high >= 0 && dup2(held.pipe[0], FIRST_SPARE + 50) >= 0, 1);
    require(sandbox_prepare(FIRST_SPARE) == OK, 2);
    require(fcntl(low, F_GETFD) >= 0, 3);
    require(fcntl(high, F_GETFD) < 0 && errno == EBADF, 4);
    require(fcntl(FIRST_SPARE + 50, F_GETFD) < 0 && errno == EBADF, 5);
    require(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, 6);
    require(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, 7);
    /* A ring would carry calls past the filter; libuv may ask for one before it closes. */
    require(syscall(SYS_io_uring_setup, 8, held.page) < 0 && errno == ENOSYS, 8);
}

static void test_prepare(void **state)
{
    (void)state;
    expect_exit(close_from, SURVIVED);
}

/* With every number below the limit in use, nothing more can be accepted. */
static void accept_at_limit(bool room)
{
    int used = 0;

    require(dup2(held.listener, FIRST_SPARE) == FIRST_SPARE, 1);
    while (used < FIRST_SPARE)
        used = fcntl(held.pipe[0], F_DUPFD, 0);
    require(sandbox_prepare(FIRST_SPARE + 1) == OK, 2);
    require(sandbox_enter(FIRST_SPARE + (room ? 2 : 1)) == OK, 3);
    if (room)
        require(accept4(FIRST_SPARE, NULL, NULL, 0) == FIRST_SPARE + 1, 4);
    else
        require(accept4(FIRST_SPARE, NULL, NULL, 0) == -1 && errno == EMFILE, 5);
}

static void accept_without_room(void)
{
    accept_at_limit(false);
}

static void accept_with_room(void)
{
    accept_at_limit(true);
}

static void test_descriptor_limit(void **state)
{
    (void)state;
    expect_exit(accept_without_room, SURVIVED);
    expect_exit(accept_with_room, SURVIVED);
}

/* The text behind `key` on its line of a file in /proc. */
static void read_proc(pid_t pid, const char *file, const char *key, char value[128])
{
    char name[64], line[256];
    FILE *status;

    snprintf(name, sizeof(name), "/proc/%d/%s", (int)pid, file);
    status = fopen(name, "r");
    assert_non_null(status);
    value[0] = '\0';
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            snprintf(value, 128, "%.100s", line + strlen(key));
    }
    fclose(status);
}

static void expect_proc(pid_t pid, const char *file, const char *key, const char *wanted)
{
    char value[128], *end;
    const char *start = value;

    read_proc(pid, file, key, value);
    start += strspn(start, " \t");
    end = value + strlen(value);
    while (end > start && strchr(" \t\n", end[-1]) != NULL)
        *--end = '\0';
    if (strncmp(start, wanted, strlen(wanted)) != 0)
        fail_msg("%s: %s instead of %s", key, start, wanted);
}

static void stay_inside(void)
{
    char byte;

    enter();
    require(write(held.pipe[1], "x", 1) == 1, 1);
    require(read(held.stream[0], &byte, 1) >= 0, 2);
}

/* As the kernel sees the process, from outside. */
static void test_state(void **state)
{
    static const char *const capabilities[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
    pid_t child = fork();
    char byte, limit[32];

    (void)state;
    if (child == 0) {
        alarm(DEADLINE_S);
        stay_inside();
        _exit(SURVIVED);
    }
    assert_int_equal(read(held.pipe[0], &byte, 1), 1);
    expect_proc(child, "status", "NoNewPrivs:", "1");
    expect_proc(child, "status", "Seccomp:", "2");
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        expect_proc(child, "status", capabilities[i], "0000000000000000");
    if (getuid() == 0)
        expect_proc(child, "status", "CapBnd:", "0000000000000000");
    expect_proc(child, "limits", "Max core file size", "0                    0 ");
    snprintf(limit, sizeof(limit), "%-20d %d ", DESCRIPTORS, DESCRIPTORS);
    expect_proc(child, "limits", "Max open files", limit);
    if (!SANITIZED)
        expect_proc(child, "limits", "Max processes", "0                    0 ");
    assert_int_equal(write(held.stream[1], "x", 1), 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_forbidden),
#ifdef __x86_64__
        TEST(test_32_bit),
#endif
        TEST(test_all_threads), TEST(test_permitted),        TEST(test_ends_of_its_own),
        TEST(test_prepare),     TEST(test_descriptor_limit), TEST(test_state),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
