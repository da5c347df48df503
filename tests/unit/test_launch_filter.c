/* filter.c, fence.c: what each says to a call, by running its instructions as the kernel does. */
#include "launch/calls/file_calls.h"
#include "launch/keeper/fence.h"
#include "launch/keeper/filter.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE  AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#else
#define NATIVE  AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif

#define ALLOW        SECCOMP_RET_ALLOW
#define ASK          SECCOMP_RET_USER_NOTIF
#define KILL         SECCOMP_RET_KILL_PROCESS
#define GETS(number) (SECCOMP_RET_ERRNO | (number))

static struct sock_filter code[FILTER_MAX]; /* of either: FENCE_MAX is less */
static size_t length;

static uint32_t next(const struct seccomp_data *data, size_t *at, uint32_t *accumulator)
{
    const struct sock_filter *step = &code[(*at)++];
    bool taken;

    switch (step->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        assert_true(step->k + 4 <= sizeof(*data));
        memcpy(accumulator, (const char *)data + step->k, 4);
        return 0;
    case BPF_ALU | BPF_AND | BPF_K:
        *accumulator &= step->k;
        return 0;
    case BPF_JMP | BPF_JEQ | BPF_K:
        taken = *accumulator == step->k;
        break;
    case BPF_JMP | BPF_JGE | BPF_K:
        taken = *accumulator >= step->k;
        break;
    case BPF_JMP | BPF_JSET | BPF_K:
        taken = (*accumulator & step->k) != 0;
        break;
    default:
        assert_int_equal(step->code, BPF_RET | BPF_K);
        *at = length + 1;
        return step->k;
    }
    *at += taken ? step->jt : step->jf;
    return 0;
}

static uint32_t run(struct seccomp_data data)
{
    uint32_t accumulator = 0, result = 0;
    size_t at = 0;

    while (at < length)
        result = next(&data, &at, &accumulator);
    assert_int_equal(at, length + 1); /* it came to a return */
    return result;
}

static uint32_t asked(int call, uint64_t first, uint64_t second, uint64_t third)
{
    return run((struct seccomp_data){.nr = call, .arch = NATIVE, .args = {first, second, third}});
}

static void build_with(struct filter_options options)
{

    length = filter_build(&options, code);
    assert_in_range(length, 1, FILTER_MAX);
}

static void build(bool seal_memfds)
{
    build_with((struct filter_options){.seal_memfds = seal_memfds});
}

static uint32_t expected_socket(int family, int type, int protocol)
{
    if (family == AF_UNIX)
        return ASK;
    if (family == AF_NETLINK)
        return ALLOW;
    if (family != AF_INET && family != AF_INET6)
        return GETS(EAFNOSUPPORT);
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return GETS(ESOCKTNOSUPPORT);
    if (protocol == 0 || protocol == (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))
        return ALLOW;
    if (type == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6))
        return ALLOW;
    return GETS(EPROTONOSUPPORT);
}

TEST(test_every_socket)
{
    build(false);
    for (int family = 0; family < 64; family++) {
        for (int type = 0; type < 16; type++) {
            for (int protocol = 0; protocol < 300; protocol++) {
                uint32_t expected = expected_socket(family, type, protocol);

                assert_int_equal(
                    asked(SYS_socket, (unsigned)family, (unsigned)type, (unsigned)protocol),
                    expected);
                assert_int_equal(
                    asked(SYS_socketpair, (unsigned)family,
                          (unsigned)type | SOCK_CLOEXEC | SOCK_NONBLOCK, (unsigned)protocol),
                    family == AF_UNIX && type != SOCK_DGRAM && type != SOCK_RAW ? ALLOW : expected);
            }
        }
    }
}

/* Whatever could have an abstract name, or send to one, is asked, and nothing else changes. */
TEST(test_private_names)
{
    const uint64_t flags = SOCK_CLOEXEC | SOCK_NONBLOCK;

    build(false);
    for (unsigned type = 0; type < 16; type++) {
        bool datagrams = type == SOCK_DGRAM || type == SOCK_RAW;

        assert_int_equal(asked(SYS_socket, AF_UNIX, type | flags, 0), ASK);
        assert_int_equal(asked(SYS_socketpair, AF_UNIX, type | flags, 0), datagrams ? ASK : ALLOW);
        for (int family = 0; family < 64; family++) {
            if (family == AF_UNIX)
                continue;
            assert_int_equal(asked(SYS_socket, (unsigned)family, type | flags, 0),
                             expected_socket(family, (int)type, 0));
            assert_int_equal(asked(SYS_socketpair, (unsigned)family, type | flags, 0),
                             expected_socket(family, (int)type, 0));
        }
    }
    build_with((struct filter_options){.seal_memfds = true, .limit_executables = true});
    assert_int_equal(asked(SYS_read, 1, 2, 3), ALLOW);
}

/* The kernel reads these arguments as int: what stands above is nothing to it. */
TEST(test_upper_halves_do_not_count)
{
    const uint64_t above = UINT64_C(1) << 32;

    build(false);
    assert_int_equal(asked(SYS_socket, AF_PACKET | above, SOCK_RAW, 0), GETS(EAFNOSUPPORT));
    assert_int_equal(asked(SYS_socket, AF_INET, SOCK_STREAM | above, 262 | above),
                     GETS(EPROTONOSUPPORT));
    assert_int_equal(asked(SYS_socket, AF_INET | above, SOCK_STREAM | above, above), ALLOW);
}

TEST(test_what_is_asked)
{
    build(false);
    assert_int_equal(asked(SYS_bind, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_listen, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_connect, 0, 0, 0), ASK);
}

TEST(test_rings_and_faults_are_unknown)
{
    build(false);
    assert_int_equal(asked(SYS_userfaultfd, 0, 0, 0), GETS(ENOSYS));
    for (int call = SYS_io_uring_setup; call <= SYS_io_uring_register; call++)
        assert_int_equal(asked(call, 0, 0, 0), GETS(ENOSYS));
}

TEST(test_memfds)
{
    build(false);
    assert_int_equal(asked(SYS_memfd_create, 0, 0, 0), ALLOW);
    build(true);
    assert_int_equal(asked(SYS_memfd_create, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_memfd_create, 0, 1, 0), ASK);
    assert_int_equal(asked(SYS_memfd_create, 0, 8, 0), ALLOW);
    assert_int_equal(asked(SYS_memfd_create, 0, 0x10, 0), ASK);
    assert_int_equal(asked(SYS_memfd_create, 0, 0x18, 0), ASK);
    assert_int_equal(asked(SYS_memfd_create, 0, UINT32_MAX, 0), ASK); /* Chromium, for EINVAL */
}

TEST(test_executions_and_code_of_files)
{
    const struct {
        uint64_t protection, flags;
        uint32_t expected;
    } cases[] = {{PROT_READ | PROT_EXEC, MAP_PRIVATE, ASK},
                 {PROT_EXEC, MAP_SHARED | MAP_FIXED, ASK},
                 {PROT_READ, MAP_PRIVATE, ALLOW},
                 {PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ALLOW}};

    build_with((struct filter_options){.seal_memfds = true, .limit_executables = true});
    assert_int_equal(asked(SYS_execve, 0, 0, 0), ASK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            run((struct seccomp_data){.nr = SYS_mmap,
                                      .arch = NATIVE,
                                      .args = {0, 4096, cases[i].protection, cases[i].flags, 3}}),
            cases[i].expected);
}

static uint32_t asked_fourth(int call, uint64_t fourth)
{
    return run((struct seccomp_data){.nr = call, .arch = NATIVE, .args = {3, 0, 0, fourth}});
}

TEST(test_what_connects_by_another_way)
{
    const struct {
        int level, name;
    } refused[] = {{IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
                   {IPPROTO_IP, IP_OPTIONS},
                   {IPPROTO_IPV6, IPV6_RTHDR},
                   {IPPROTO_IPV6, IPV6_2292PKTOPTIONS}};

    build_with((struct filter_options){.limit_connects = true});
    assert_int_equal(asked_fourth(SYS_sendto, MSG_FASTOPEN | MSG_NOSIGNAL), GETS(EOPNOTSUPP));
    assert_int_equal(asked_fourth(SYS_sendmmsg, MSG_FASTOPEN), GETS(EOPNOTSUPP));
    assert_int_equal(asked(SYS_sendmsg, 3, 0, MSG_FASTOPEN), GETS(EOPNOTSUPP));
    assert_int_equal(asked_fourth(SYS_sendto, ~(uint64_t)MSG_FASTOPEN), ALLOW);
    assert_int_equal(asked_fourth(SYS_sendmmsg, 0), ALLOW);
    assert_int_equal(asked(SYS_sendmsg, 3, MSG_FASTOPEN, 0), ALLOW);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(
            asked(SYS_setsockopt, 3, (uint64_t)refused[i].level, (uint64_t)refused[i].name),
            GETS(ENOPROTOOPT));
    for (unsigned level = 0; level < 300; level++) {
        for (unsigned name = 0; name < 128; name++) {
            bool is_refused = false;

            for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                is_refused =
                    is_refused || (refused[i].level == (int)level && refused[i].name == (int)name);
            assert_int_equal(asked(SYS_setsockopt, 3, level, name),
                             is_refused ? GETS(ENOPROTOOPT) : ALLOW);
        }
    }
}

TEST(test_datagrams_that_may_not_leave_are_asked)
{
    build_with((struct filter_options){.limit_connects = true, .refuse_datagrams = true});
    for (int family = 0; family < 64; family++) {
        for (int type = 0; type < 16; type++) {
            for (int protocol = 0; protocol < 300; protocol++) {
                bool hosts = family == AF_INET || family == AF_INET6;

                assert_int_equal(
                    asked(SYS_socket, (unsigned)family, (unsigned)type | SOCK_CLOEXEC,
                          (unsigned)protocol),
                    hosts && type == SOCK_DGRAM ? ASK : expected_socket(family, type, protocol));
            }
        }
    }
}

TEST(test_the_longest_fits)
{
    build_with((struct filter_options){true, true, true, true, true});
    assert_int_equal(asked(SYS_connect, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_execve, 0, 0, 0), ASK);
}

TEST(test_other_architectures_end_the_process)
{
    build(false);
    assert_int_equal(run((struct seccomp_data){.nr = SYS_read, .arch = FOREIGN}), KILL);
#ifdef __x86_64__
    assert_int_equal(asked(0x40000000 | SYS_read, 0, 0, 0), KILL);
    assert_int_equal(asked(0x40000000 | SYS_bind, 0, 0, 0), KILL);
#endif
}

TEST(test_everything_else_is_allowed)
{
    static const int others[] = {SYS_read,    SYS_write,   SYS_execve,     SYS_mmap,
                                 SYS_openat,  SYS_accept4, SYS_sendto,     SYS_clone,
                                 SYS_unshare, SYS_sendmsg, SYS_setsockopt, SYS_sendmmsg};

    for (int sealed = 0; sealed < 2; sealed++) {
        build(sealed);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            assert_int_equal(asked(others[i], 1, 2, 3), ALLOW);
    }
}

TEST(test_the_keeper_answers_and_does_nothing_else)
{
    static const int deadly[] = {SYS_execve,   SYS_execveat,    SYS_ptrace,        SYS_mount,
                                 SYS_umount2,  SYS_setns,       SYS_unshare,       SYS_clone3,
                                 SYS_unlinkat, SYS_init_module, SYS_io_uring_setup};

    length = fence_build(code);
    assert_in_range(length, 1, FENCE_MAX);
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        assert_int_equal(asked(deadly[i], 0, 0, 0), KILL);
    assert_int_equal(asked(SYS_bind, 1, 2, 3), ALLOW);
    assert_int_equal(asked(SYS_clone, SIGCHLD, 0, 0), ALLOW);
    assert_int_equal(asked(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0), KILL);
    assert_int_equal(asked(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0), KILL);
    assert_int_equal(asked(SYS_mmap, 0, 4096, PROT_READ), ALLOW);
    assert_int_equal(asked(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC), KILL);
    assert_int_equal(asked(SYS_mprotect, 0, 4096, PROT_EXEC), KILL);
    assert_int_equal(asked(SYS_ioctl, 0, SECCOMP_IOCTL_NOTIF_SEND, 0), ALLOW);
    assert_int_equal(asked(SYS_ioctl, 0, TIOCSTI, 0), KILL);
    assert_int_equal(run((struct seccomp_data){.nr = SYS_read, .arch = FOREIGN}), KILL);
}

/* Whoever learns what a tree does asks for what writes files; nobody else does. */
TEST(test_files_are_asked_for_where_they_are_learnt)
{
    build(true);
    for (size_t i = 0; i < file_calls_count; i++)
        assert_int_equal(asked(file_calls[i].call, O_WRONLY, O_WRONLY, O_WRONLY), ALLOW);
    assert_int_equal(asked(SYS_execve, 0, 0, 0), ALLOW);
    build_with((struct filter_options){.seal_memfds = true, .record = true});
    for (size_t i = 0; i < file_calls_count; i++)
        assert_int_equal(asked(file_calls[i].call, O_WRONLY, O_WRONLY, O_WRONLY), ASK);
    assert_int_equal(asked(SYS_openat, 0, 0, O_RDONLY | O_CLOEXEC | O_DIRECTORY), ALLOW);
    assert_int_equal(asked(SYS_openat, 0, 0, O_RDWR), ASK);
    assert_int_equal(asked(SYS_openat, 0, 0, O_RDONLY | O_CREAT), ASK);
    assert_int_equal(asked(SYS_openat, 0, 0, O_RDONLY | O_TRUNC), ASK);
    assert_int_equal(asked(SYS_execve, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_execveat, 0, 0, 0), ASK);
    assert_int_equal(asked(SYS_read, 0, 0, 0), ALLOW);
    assert_int_equal(asked(SYS_mmap, 0, 0, PROT_READ | PROT_EXEC), ASK);
    assert_int_equal(asked(SYS_mmap, 0, 0, PROT_READ), ALLOW);
}
