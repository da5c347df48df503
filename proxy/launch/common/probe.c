#include "launch/common/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12, or than its C library. */
#define NETNS_COOKIE 71
#define NOEXEC_SEAL  0x08u
#define THREAD_PIDFD O_EXCL

static bool opens(long descriptor)
{
    if (descriptor >= 0)
        close((int)descriptor);
    return descriptor >= 0;
}

static bool names_namespaces(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t cookie;
    socklen_t length = sizeof(cookie);
    bool named = getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, &cookie, &length) == 0;

    return opens(fd) && named;
}

/* Flags are looked at before the filter, which is none: EFAULT says that all of them are known. */
static bool lets_signals_wait(void)
{
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

void probe_kernel(struct probe *out)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    out->namespaces_named = names_namespaces();
    out->signals_wait = lets_signals_wait();
    out->threads_named = opens(syscall(SYS_pidfd_open, getpid(), THREAD_PIDFD));
    out->memfds_sealed = opens(memfd_create("probe", MFD_CLOEXEC | NOEXEC_SEAL));
    out->landlock = abi > 0 ? (int)abi : 0;
}
