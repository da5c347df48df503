#include "launch/keeper/filter.h"

#include "launch/calls/file_calls.h"
#include "launch/common/bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12 (memfd_create(2)). */
#define MEMFD_NOEXEC_SEAL 0x08u
#define MEMFD_EXEC        0x10u

#define OPEN_TREE_ATTR 467 /* open_tree_attr(2), 6.15 */

#define SOCKET_TYPE_MASK 0xfu /* beside it: SOCK_NONBLOCK, SOCK_CLOEXEC */

static const struct sock_filter preamble[] = {PREAMBLE};

/* Each block is for some calls, knows their arguments, and ends in every way by itself, or with the
 * call's number for the rules that follow. */

static const struct sock_filter sockets[] = {
    ARGUMENT(0),
    IF_IS(AF_UNIX, 16, 0),
    IF_IS(AF_NETLINK, 15, 0),
    IF_IS(AF_INET, 2, 0),
    IF_IS(AF_INET6, 1, 0),
    REFUSE(EAFNOSUPPORT),
    ARGUMENT(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK),
    IF_IS(SOCK_STREAM, 2, 0),
    IF_IS(SOCK_DGRAM, 4, 0),
    REFUSE(ESOCKTNOSUPPORT),
    /* a stream */
    ARGUMENT(2),
    IF_IS(0, 5, 0),
    IF_IS(IPPROTO_TCP, 4, 5),
    /* datagrams */
    ARGUMENT(2),
    IF_IS(0, 2, 0),
    IF_IS(IPPROTO_UDP, 1, 0),
    IF_IS(IPPROTO_ICMP, 0, 2),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE(EPROTONOSUPPORT), /* as the kernel says where it does not have MPTCP */
    IF_IS(IPPROTO_ICMPV6, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE(EPROTONOSUPPORT),
};

/* Others go on, to the rule above. */
static const struct sock_filter unix_sockets[] = {
    ARGUMENT(0),
    IF_IS(AF_UNIX, 0, 1),
    RETURN(SECCOMP_RET_USER_NOTIF),
    FIELD(nr),
};

/* Of a pair, datagrams alone can be sent to others; a raw one is one of datagrams (unix(7)). */
static const struct sock_filter unix_pairs[] = {
    ARGUMENT(0),
    IF_IS(AF_UNIX, 0, 5),
    ARGUMENT(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK),
    IF_IS(SOCK_DGRAM, 1, 0),
    IF_IS(SOCK_RAW, 0, 1),
    RETURN(SECCOMP_RET_USER_NOTIF),
    FIELD(nr),
};

/* Where no datagram may leave: its socket is one of the private namespace. */
static const struct sock_filter private_sockets[] = {
    ARGUMENT(0),
    IF_IS(AF_UNIX, 13, 0),
    IF_IS(AF_NETLINK, 12, 0),
    IF_IS(AF_INET, 2, 0),
    IF_IS(AF_INET6, 1, 0),
    REFUSE(EAFNOSUPPORT),
    ARGUMENT(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK),
    IF_IS(SOCK_STREAM, 2, 0),
    IF_IS(SOCK_DGRAM, 6, 0),
    REFUSE(ESOCKTNOSUPPORT),
    /* a stream */
    ARGUMENT(2),
    IF_IS(0, 2, 0),
    IF_IS(IPPROTO_TCP, 1, 0),
    REFUSE(EPROTONOSUPPORT),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_USER_NOTIF),
};

/* What connects by sending: TCP Fast Open. */
#define SENDS(flags)                                                                               \
    ARGUMENT(flags), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MSG_FASTOPEN, 0, 1), REFUSE(EOPNOTSUPP), \
        RETURN(SECCOMP_RET_ALLOW)
static const struct sock_filter sends_by_flags[] = {SENDS(3)};
static const struct sock_filter sends_message[] = {SENDS(2)};

/* What connects when something is sent, and what leads by another address than is connected to. */
static const struct sock_filter socket_options[] = {
    ARGUMENT(1),
    IF_IS(IPPROTO_TCP, 3, 0),
    IF_IS(IPPROTO_IP, 4, 0),
    IF_IS(IPPROTO_IPV6, 5, 0),
    RETURN(SECCOMP_RET_ALLOW),
    ARGUMENT(2),
    IF_IS(TCP_FASTOPEN_CONNECT, 5, 6),
    ARGUMENT(2),
    IF_IS(IP_OPTIONS, 3, 4),
    ARGUMENT(2),
    IF_IS(IPV6_RTHDR, 1, 0),
    IF_IS(IPV6_2292PKTOPTIONS, 0, 1),
    REFUSE(ENOPROTOOPT),
    RETURN(SECCOMP_RET_ALLOW),
};

static const struct sock_filter memfds[] = {
    ARGUMENT(1),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MEMFD_EXEC, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MEMFD_NOEXEC_SEAL, 0, 1),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_USER_NOTIF),
};

/* A file without a name may be one that no rule is about. */
static const struct sock_filter executions[] = {
    ARGUMENT(4),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 0, 1),
    REFUSE(EACCES),
    RETURN(SECCOMP_RET_USER_NOTIF),
};

/* Code of a file: a mapping without one is memory, in which interpreters may make code. */
static const struct sock_filter code[] = {
    ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 3),
    ARGUMENT(3),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0),
    RETURN(SECCOMP_RET_USER_NOTIF),
    RETURN(SECCOMP_RET_ALLOW),
};

static const struct sock_filter ask[] = {RETURN(SECCOMP_RET_USER_NOTIF)};
static const struct sock_filter unknown[] = {REFUSE(ENOSYS)};

#define BLOCK(name) name, sizeof(name) / sizeof((name)[0])

static const struct rule {
    const struct sock_filter *block;
    size_t length;
    int call;
    enum {
        ALWAYS,
        WHERE_SEALED,
        WHERE_LIMITED,
        WHERE_RECORDED,
        WHERE_HELD,
        WITHOUT_DATAGRAMS
    } when;
} rules[] = {
    {BLOCK(unix_sockets), SYS_socket, ALWAYS},
    {BLOCK(unix_pairs), SYS_socketpair, ALWAYS},
    {BLOCK(private_sockets), SYS_socket, WITHOUT_DATAGRAMS}, /* the first of a call counts */
    {BLOCK(sockets), SYS_socket, ALWAYS},
    {BLOCK(sockets), SYS_socketpair, ALWAYS},
    {BLOCK(ask), SYS_bind, ALWAYS},
    {BLOCK(ask), SYS_listen, ALWAYS},
    {BLOCK(ask), SYS_connect, ALWAYS},
    {BLOCK(sends_by_flags), SYS_sendto, WHERE_HELD},
    {BLOCK(sends_message), SYS_sendmsg, WHERE_HELD},
    {BLOCK(sends_by_flags), SYS_sendmmsg, WHERE_HELD},
    {BLOCK(socket_options), SYS_setsockopt, WHERE_HELD},
    {BLOCK(unknown), SYS_io_uring_setup, ALWAYS},
    {BLOCK(unknown), SYS_io_uring_enter, ALWAYS},
    {BLOCK(unknown), SYS_io_uring_register, ALWAYS},
    {BLOCK(unknown), SYS_userfaultfd, ALWAYS},
    {BLOCK(memfds), SYS_memfd_create, WHERE_SEALED},
#ifdef SYS_memfd_secret
    {BLOCK(unknown), SYS_memfd_secret, WHERE_SEALED},
#endif
    {BLOCK(ask), SYS_execve, WHERE_LIMITED},
    {BLOCK(executions), SYS_execveat, WHERE_LIMITED},
    {BLOCK(code), SYS_mmap, WHERE_LIMITED},
    {BLOCK(ask), SYS_execve, WHERE_RECORDED},
    {BLOCK(ask), SYS_execveat, WHERE_RECORDED},
    {BLOCK(code), SYS_mmap, WHERE_RECORDED},
    /* Landlock refuses mounts, but not file systems that are mounted nowhere, which are not noexec.
     */
    {BLOCK(unknown), SYS_fsopen, WHERE_LIMITED},
    {BLOCK(unknown), SYS_fspick, WHERE_LIMITED},
    {BLOCK(unknown), SYS_fsmount, WHERE_LIMITED},
    {BLOCK(unknown), SYS_open_tree, WHERE_LIMITED},
    {BLOCK(unknown), OPEN_TREE_ATTR, WHERE_LIMITED},
    {BLOCK(unknown), SYS_mount_setattr, WHERE_LIMITED},
};

static bool applies(const struct rule *rule, const struct filter_options *options)
{
    switch (rule->when) {
    case WHERE_SEALED:
        return options->seal_memfds;
    case WHERE_LIMITED:
        return options->limit_executables;
    case WHERE_RECORDED:
        return options->record && !options->limit_executables;
    case WHERE_HELD:
        return options->limit_connects;
    case WITHOUT_DATAGRAMS:
        return options->refuse_datagrams;
    default:
        return true;
    }
}

/* Files that are only read are opened unasked; of openat2 the flags are in memory. */
static size_t put_file_call(const struct file_call *call, struct sock_filter *out)
{
    const unsigned writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    const struct sock_filter by_flags[] = {
        IF_IS(call->call, 0, 4),
        ARGUMENT(call->flags),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, writes, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_USER_NOTIF),
    };
    const struct sock_filter always[] = {IF_IS(call->call, 0, 1), RETURN(SECCOMP_RET_USER_NOTIF)};

    if (call->flags == FILE_NONE || call->call == SYS_openat2) {
        memcpy(out, always, sizeof(always));
        return sizeof(always) / sizeof(always[0]);
    }
    memcpy(out, by_flags, sizeof(by_flags));
    return sizeof(by_flags) / sizeof(by_flags[0]);
}

size_t filter_build(const struct filter_options *options, struct sock_filter out[FILTER_MAX])
{
    size_t length = sizeof(preamble) / sizeof(preamble[0]);

    memcpy(out, preamble, sizeof(preamble));
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];

        if (!applies(rule, options))
            continue;
        out[length++] = (struct sock_filter)IF_IS(rule->call, 0, (unsigned char)rule->length);
        memcpy(out + length, rule->block, rule->length * sizeof(out[0]));
        length += rule->length;
    }
    for (size_t i = 0; options->record && i < file_calls_count; i++)
        length += put_file_call(&file_calls[i], out + length);
    out[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    return length;
}

enum error filter_load(const struct filter_options *options, int *listener)
{
    struct sock_filter steps[FILTER_MAX];
    struct sock_fprog program = {.len = (unsigned short)filter_build(options, steps),
                                 .filter = steps};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

    if (fd < 0 && errno == EINVAL) {
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    }
    if (fd < 0)
        return ERROR_IO;
    *listener = (int)fd;
    return OK;
}
