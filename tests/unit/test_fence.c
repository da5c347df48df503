/* fence.c: what a broker and a launcher may not do any more, and what they need. Each attempt is a
 * child's. */
#include "system/fence.h"

#include "system/fence_kind.h"
#include "system/landlock.h"
#include "temporary.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef SIDELOCK_SANITIZE
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { REFUSED = 10, DONE, NOT_FENCED };

/* ---- System calls ---- */

static struct sockaddr_in any = {.sin_family = AF_INET};
static const int one = 1;
static char *const nothing[] = {NULL};
static unsigned char page[4096];
static int unbound; /* a TCP socket from before the fence */
static char inside[TEMPORARY_PATH_SIZE], outside[TEMPORARY_PATH_SIZE];

#define CALLS(CALL)                                                                                \
    CALL(execve, SYS_execve, "/bin/true", nothing, nothing)                                        \
    CALL(execveat, SYS_execveat, AT_FDCWD, "/bin/true", nothing, nothing, 0)                       \
    CALL(fork, SYS_clone, SIGCHLD, 0, 0, 0, 0)                                                     \
    CALL(vfork, SYS_vfork)                                                                         \
    CALL(clone3, SYS_clone3, page, 64)                                                             \
    CALL(ptrace, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)                                              \
    CALL(process_vm_writev, SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0)                 \
    CALL(kill, SYS_kill, getppid(), 0)                                                             \
    CALL(tgkill, SYS_tgkill, getppid(), getppid(), 0)                                              \
    CALL(pidfd_open, SYS_pidfd_open, getppid(), 0)                                                 \
    CALL(pidfd_getfd, SYS_pidfd_getfd, unbound, 0, 0)                                              \
    CALL(io_uring, SYS_io_uring_setup, 1, page)                                                    \
    CALL(datagrams, SYS_socket, AF_INET, SOCK_DGRAM, 0)                                            \
    CALL(raw, SYS_socket, AF_INET, SOCK_RAW, 0)                                                    \
    CALL(packets, SYS_socket, AF_PACKET, SOCK_STREAM, 0)                                           \
    CALL(listen, SYS_listen, unbound, 1)                                                           \
    CALL(mmap, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)    \
    CALL(mprotect, SYS_mprotect, (uintptr_t)page & ~4095UL, 4096, PROT_READ | PROT_EXEC)           \
    CALL(tiocsti, SYS_ioctl, STDERR_FILENO, 0x5412, "x")                                           \
    CALL(mount, SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL)                                   \
    CALL(unshare, SYS_unshare, 0)                                                                  \
    CALL(setns, SYS_setns, unbound, 0)                                                             \
    CALL(bpf, SYS_bpf, 0, page, 8)                                                                 \
    CALL(keyctl, SYS_keyctl, 0, 0)                                                                 \
    CALL(chroot, SYS_chroot, "/")                                                                  \
    CALL(userfaultfd, SYS_userfaultfd, 0)                                                          \
    CALL(perf, SYS_perf_event_open, page, 0, -1, -1, 0)                                            \
    CALL(setown, SYS_fcntl, unbound, F_SETOWN, getppid())                                          \
    CALL(setsig, SYS_fcntl, unbound, F_SETSIG, SIGKILL)                                            \
    CALL(notify, SYS_fcntl, unbound, F_NOTIFY, 0)                                                  \
    CALL(ulp, SYS_setsockopt, unbound, IPPROTO_TCP, TCP_ULP, "tls", 4)                             \
    CALL(repair, SYS_setsockopt, unbound, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one))              \
    CALL(chmod, SYS_chmod, inside, 0700)                                                           \
    CALL(fchmod, SYS_fchmod, unbound, 0700)                                                        \
    CALL(fchmodat, SYS_fchmodat, AT_FDCWD, inside, 0700)                                           \
    CALL(fchown, SYS_fchown, unbound, getuid(), -1)                                                \
    CALL(fchownat, SYS_fchownat, AT_FDCWD, inside, getuid(), -1, 0)                                \
    CALL(utimensat, SYS_utimensat, AT_FDCWD, inside, NULL, 0)                                      \
    CALL(setxattr, SYS_setxattr, inside, "user.x", "", 0, 0)                                       \
    CALL(fsetxattr, SYS_fsetxattr, unbound, "user.x", "", 0, 0)                                    \
    CALL(prctl, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)

/* What only one of them may. */
#define BROKER_CALLS(CALL)                                                                         \
    CALL(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)                                         \
    CALL(socket_inet6, SYS_socket, AF_INET6, SOCK_STREAM, 0)                                       \
    CALL(socket_route, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)                            \
    CALL(bind, SYS_bind, unbound, &any, sizeof(any))
#define LAUNCHER_CALLS(CALL)                                                                       \
    CALL(open_write, SYS_open, "/dev/null", O_WRONLY)                                              \
    CALL(openat_write, SYS_openat, AT_FDCWD, "/dev/null", O_RDWR)                                  \
    CALL(openat_create, SYS_openat, AT_FDCWD, inside, O_CREAT, 0600)                               \
    CALL(openat_truncate, SYS_openat, AT_FDCWD, inside, O_TRUNC)                                   \
    CALL(openat2, SYS_openat2, AT_FDCWD, inside, page, 24)                                         \
    CALL(unlink, SYS_unlink, inside)                                                               \
    CALL(unlinkat, SYS_unlinkat, AT_FDCWD, inside, 0)                                              \
    CALL(rename, SYS_rename, inside, outside)                                                      \
    CALL(mkdir, SYS_mkdir, inside, 0700)                                                           \
    CALL(truncate, SYS_truncate, inside, 0)                                                        \
    CALL(accept4, SYS_accept4, unbound, NULL, NULL, 0)                                             \
    CALL(keepalive, SYS_setsockopt, unbound, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one))

static enum error (*close_fence)(void); /* whose is tried */

#define DEFINE(name, ...)                                                                          \
    static int try_##name(void)                                                                    \
    {                                                                                              \
        if (close_fence() != OK)                                                                   \
            return NOT_FENCED;                                                                     \
        errno = 0;                                                                                 \
        return syscall(__VA_ARGS__) < 0 && errno == EPERM ? REFUSED : DONE;                        \
    }
CALLS(DEFINE)
BROKER_CALLS(DEFINE)
LAUNCHER_CALLS(DEFINE)
#undef DEFINE

static const struct {
    enum error (*fence)(void); /* whose; NULL: of both */
    const char *name;
    int (*body)(void);
} tries[] = {
#define ROW(name, ...) {NULL, #name, try_##name},
    CALLS(ROW)
#undef ROW
#define ROW(name, ...) {fence_calls, #name, try_##name},
        BROKER_CALLS(ROW)
#undef ROW
#define ROW(name, ...) {fence_launcher_calls, #name, try_##name},
            LAUNCHER_CALLS(ROW)
#undef ROW
};

static void try_all(enum error (*fence)(void))
{
    close_fence = fence;
    for (size_t i = 0; !SANITIZED && i < sizeof(tries) / sizeof(tries[0]); i++) {
        int status;

        if (tries[i].fence != NULL && tries[i].fence != fence)
            continue;
        status = unit_status_of(tries[i].body);
        if (status != REFUSED)
            fail_msg("%s: %d", tries[i].name, status);
    }
}

TEST(test_refused)
{
    assert_non_null(temporary_make(inside));
    unbound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    try_all(fence_calls);
    try_all(fence_launcher_calls);
    try_all(fence_looker_calls);
    close(unbound);
    temporary_remove(inside);
}

static void *call_from_thread(void *unused)
{
    (void)unused;
    sleep(1);
    return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? &any : NULL;
}

/* One that was there before is fenced as well. */
static int try_thread(void)
{
    pthread_t thread;
    void *result = NULL;

    if (pthread_create(&thread, NULL, call_from_thread, NULL) != 0 || fence_calls() != OK)
        return NOT_FENCED;
    pthread_join(thread, &result);
    return result != NULL ? REFUSED : DONE;
}

static int try_ring(void)
{
    struct io_uring_params params = {0};

    if (fence_without_rings() != OK)
        return NOT_FENCED;
    return syscall(SYS_io_uring_setup, 4, &params) < 0 && errno == ENOSYS ? REFUSED : DONE;
}

/* As by a kernel that knows none, for libuv takes no other answer. */
TEST(test_rings)
{
    assert_int_equal(unit_status_of(try_ring), REFUSED);
}

TEST(test_threads)
{
    assert_int_equal(unit_status_of(try_thread), REFUSED);
}

/* It reads files and lists folders; what it changes or reaches is nothing. */
static int try_looking(void)
{
    char link[64];
    DIR *folder;

    if (fence_looker_calls() != OK)
        return NOT_FENCED;
    folder = fdopendir(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder == NULL || readdir(folder) == NULL ||
        readlinkat(dirfd(folder), "0", link, sizeof(link)) <= 0)
        return 1;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
        return 2;
    if (open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 || errno != EPERM)
        return 3;
    if (open(inside, O_RDONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != EPERM)
        return 4;
    if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
        return 5;
    return unlink(inside) < 0 && errno == EPERM ? REFUSED : 6;
}

TEST(test_looking)
{
    if (!SANITIZED)
        assert_int_equal(unit_status_of(try_looking), REFUSED);
}

/* What a broker goes on doing. */
static int try_needed(void)
{
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere/socket"};
    int pair[2], fd;

    if (fence_calls() != OK)
        return NOT_FENCED;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)) == 0 || errno != ENOENT)
        return 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 || pipe2(pair, O_CLOEXEC) != 0)
        return 2;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_DUPFD_CLOEXEC, 0) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)) != 0)
        return 6;
    if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) < 0)
        return 3;
    fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
        return 4;
    return syscall(SYS_pidfd_send_signal, -1, SIGKILL, NULL, 0) < 0 && errno == EBADF ? DONE : 5;
}

TEST(test_needed)
{
    assert_int_equal(unit_status_of(try_needed), DONE);
}

/* What a launcher goes on doing. */
static int try_launcher_needed(void)
{
    int fd;

    if (fence_launcher_calls() != OK)
        return NOT_FENCED;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
        return 1;
    /* Neither a port of this host nor a file is anything that it can take. */
    if (listen(fd, 1) == 0 || errno != EPERM)
        return 2;
    if (socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) < 0 &&
        errno != EAFNOSUPPORT)
        return 3;
    if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) < 0)
        return 4;
    return open("/proc/self/fdinfo/0", O_RDONLY | O_CLOEXEC) >= 0 ? DONE : 5;
}

TEST(test_launcher_needed)
{
    assert_int_equal(unit_status_of(try_launcher_needed), DONE);
}

/* ---- Files ---- */

static bool can(const char *directory, int flags)
{
    char path[TEMPORARY_PATH_SIZE + 16];
    int fd;

    snprintf(path, sizeof(path), "%s/file", directory);
    fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int try_files(void)
{
    const struct landlock_place place = {inside, LANDLOCK_MAY_KEEP};
    char path[TEMPORARY_PATH_SIZE + 16];

    if (!can(outside, O_WRONLY | O_CREAT) || landlock_hold(FENCES_BROKER, &place, 1) != OK)
        return NOT_FENCED;
    if (landlock_version() == 0)
        return REFUSED; /* this kernel cannot, and said so */
    if (!can(inside, O_RDWR | O_CREAT | O_TRUNC) || !can(outside, O_RDONLY))
        return 1;
    if (can(outside, O_WRONLY) || can(outside, O_RDONLY | O_TRUNC))
        return 2;
    snprintf(path, sizeof(path), "%s/file", outside);
    if (unlink(path) == 0 || mkdir(outside, 0700) == 0)
        return 3;
    snprintf(path, sizeof(path), "%s/new", outside);
    if (mkdir(path, 0700) == 0 || mknod(path, S_IFREG | 0600, 0) == 0 || symlink("x", path) == 0)
        return 4;
    execve("/bin/true", nothing, nothing);
    if (errno != EACCES)
        return 5;
    /* Nor is the memory of whoever is outside looked into, whoever this is. */
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
    if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0)
        return 6;
    snprintf(path, sizeof(path), "%s/file", inside);
    return unlink(path) == 0 ? REFUSED : 7;
}

TEST(test_files)
{
    assert_non_null(temporary_make(inside));
    assert_non_null(temporary_make(outside));
    assert_int_equal(unit_status_of(try_files), REFUSED);
    temporary_remove(inside);
    temporary_remove(outside);
}

static int try_missing(void)
{
    const struct landlock_place place = {"/nowhere/at/all", LANDLOCK_MAY_KEEP};
    enum error error = landlock_hold(FENCES_BROKER, &place, 1);

    return error == (landlock_version() > 0 ? ERROR_IO : OK) ? REFUSED : DONE;
}

TEST(test_missing_directory)
{
    assert_int_equal(unit_status_of(try_missing), REFUSED);
}
