/*
 * sandbox.c: a child for every call that a worker may not make, which must not
 * survive it; and one that makes those it needs.
 */
#include "base/secret.h"
#include "ipc/channel.h"
#include "system/caller.h"
#include "system/sandbox.h"

#include "sandbox_calls.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SURVIVED    99
#define NOT_ENTERED 98
#define FIRST_SPARE 200 /* descriptors from here on are not the child's */
#define DESCRIPTORS 256
#define MEBIBYTE    (1024 * 1024)
#define DEADLINE_S  20

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

static const char path[] = "/nowhere/sidelock-test";
static char *const no_strings[] = {NULL};
static struct sockaddr_un unix_address = {.sun_family = AF_UNIX};

#define DEFINE(name, needed_by_sanitizers, ...)                                                    \
    static void call_##name(void)                                                                  \
    {                                                                                              \
        syscall(__VA_ARGS__);                                                                      \
    }
FORBIDDEN_CALLS(DEFINE)
#undef DEFINE

static const struct forbidden {
    const char *name;
    void (*call)(void);
    bool needed_by_sanitizers; /* see sandbox.c */
} forbidden[] = {
#define ROW(name, needed_by_sanitizers, ...) {#name, call_##name, needed_by_sanitizers},
    FORBIDDEN_CALLS(ROW)
#undef ROW
};

static void (*wanted_call)(void);

static void enter_and_call(void)
{
    enter();
    wanted_call();
}

#define SANDBOX_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

SANDBOX_TEST(test_forbidden)
{
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        int status;

        if (forbidden[i].needed_by_sanitizers)
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

SANDBOX_TEST(test_32_bit)
{
    int status = status_of(call_32_bit);

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

SANDBOX_TEST(test_all_threads)
{
    int status = status_of(enter_beside_thread);

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

SANDBOX_TEST(test_permitted)
{
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

SANDBOX_TEST(test_ends_of_its_own)
{
    int status = status_of(abort_inside);

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

SANDBOX_TEST(test_prepare)
{
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

SANDBOX_TEST(test_descriptor_limit)
{
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
SANDBOX_TEST(test_state)
{
    static const char *const capabilities[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
    pid_t child = fork();
    char byte, limit[32];

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
