/*
 * A service that tries to leave its tree, one way a run: `hostile_service WAY ARGUMENT`. Linked
 * statically. It says what it saw on standard error, a line a fact, and last of all `end`.
 *
 * What must never be is a socket of the host's network namespace that listens, or a TCP socket of
 * it that has a port. It sees which namespace a socket is of by comparing with a fresh one: the
 * tree is in the host's network.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETNS_COOKIE   71
#define FAMILIES       46
#define PLACE          50 /* the descriptor that is raced for */
#define IO_URING_SETUP 425
#define PIDFD_OPEN     434
#define PIDFD_GETFD    438

static void say(const char *what, int result)
{
    dprintf(STDERR_FILENO, "%s: %s\n", what, result >= 0 ? "done" : strerrorname_np(errno));
}

static int number_from(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static uint64_t cookie_of(int socket)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof(cookie);

    getsockopt(socket, SOL_SOCKET, NETNS_COOKIE, &cookie, &length);
    return cookie;
}

static uint64_t host_cookie(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0); /* of no port */
    uint64_t cookie = cookie_of(fd);

    close(fd);
    return cookie;
}

static int number_of(int socket, int name)
{
    int value = 0;
    socklen_t length = sizeof(value);

    return getsockopt(socket, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

static unsigned port_of(int socket)
{
    struct sockaddr_in6 name = {0};
    socklen_t length = sizeof(name);

    if (getsockname(socket, (struct sockaddr *)&name, &length) < 0 ||
        (name.sin6_family != AF_INET && name.sin6_family != AF_INET6))
        return 0;
    return ntohs(name.sin6_port); /* at the same place in both families */
}

/* Whether it is what must never be. */
static bool leaks(int socket, uint64_t host)
{
    int family = number_of(socket, SO_DOMAIN);

    if (cookie_of(socket) != host || family == AF_UNIX || family == AF_NETLINK)
        return false;
    return number_of(socket, SO_ACCEPTCONN) > 0 ||
           (number_of(socket, SO_TYPE) == SOCK_STREAM && port_of(socket) != 0);
}

static struct sockaddr_in at_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return address;
}

/* ---- every family, type and protocol ---- */

static void try_socket(int family, int type, int protocol, unsigned port, uint64_t host)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    int fd = socket(family, type, protocol), bound, listened;

    if (fd < 0)
        return;
    /* Both families have the port at the same place, and the address 0 is any. */
    if (family != AF_UNIX)
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    bound = bind(fd, (struct sockaddr *)&address,
                 family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    listened = listen(fd, 1);
    dprintf(STDERR_FILENO, "socket %d %d %d: bind %s, listen %s, %s\n", family, type, protocol,
            bound == 0 ? "done" : "refused", listened == 0 ? "done" : "refused",
            leaks(fd, host) ? "LEAK" : "held");
    close(fd);
}

static void every_socket(const char *argument)
{
    static const int types[] = {1, 2, 3, 4, 5, 6, 10};
    static const int protocols[] = {0, 1, 2, 6, 17, 33, 58, 132, 136, 255, 256, 262};
    unsigned port = (unsigned)number_from(argument);
    uint64_t host = host_cookie();

    for (int family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            for (size_t j = 0; j < sizeof(protocols) / sizeof(protocols[0]); j++)
                try_socket(family, types[i], protocols[j], port, host);
        }
    }
}

static void listen_unbound(const char *argument)
{
    static const int families[] = {AF_INET, AF_INET6};
    uint64_t host = host_cookie();

    (void)argument;
    for (size_t i = 0; i < 2; i++) {
        int fd = socket(families[i], SOCK_STREAM, 0);

        say("listen", listen(fd, 1));
        dprintf(STDERR_FILENO, "port %u: %s\n", port_of(fd), leaks(fd, host) ? "LEAK" : "held");
    }
}

/* ---- raced by another thread ---- */

static int candidates[4];
static atomic_bool over;
static union {
    struct sockaddr_in in;
    struct sockaddr_un un;
    struct sockaddr_nl nl;
    char bytes[128];
} shared_address;
static unsigned shared_port;

/* Another socket at the place, and another address at the same place of memory, all the time. */
static void *disturb(void *argument)
{
    unsigned turn = 0;

    (void)argument;
    while (!atomic_load(&over)) {
        dup2(candidates[turn++ % 4], PLACE);
        if (turn % 2 == 0) {
            shared_address.in = at_port(shared_port);
        } else {
            shared_address.un.sun_family = AF_UNIX;
            memcpy(shared_address.un.sun_path, "\0raced", 6);
        }
    }
    return NULL;
}

static void make_candidates(unsigned port)
{
    struct sockaddr_in address = at_port(0);

    (void)port;
    candidates[0] = socket(AF_INET, SOCK_STREAM, 0);
    candidates[1] = socket(AF_UNIX, SOCK_STREAM, 0);
    candidates[2] = socket(AF_INET, SOCK_STREAM, 0);
    (void)!bind(candidates[2], (struct sockaddr *)&address, sizeof(address));
    candidates[3] = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static unsigned count_leaks(uint64_t host)
{
    int there = dup(PLACE); /* the one that is there now, whatever comes next */
    unsigned leaked = leaks(there, host);

    close(there);
    for (size_t i = 0; i < 4; i++)
        leaked += leaks(candidates[i], host);
    return leaked;
}

static void race(const char *argument, int (*call)(void))
{
    unsigned tries = (unsigned)number_from(argument), leaked = 0, succeeded = 0;
    uint64_t host = host_cookie();
    pthread_t thread = 0;

    shared_port = 1 + (unsigned)getpid() % 1000;
    for (unsigned i = 0; i < tries || succeeded == 0; i++) {
        if (i % 50 == 0) {
            if (i > 0) {
                atomic_store(&over, true);
                pthread_join(thread, NULL);
                for (size_t j = 0; j < 4; j++)
                    close(candidates[j]);
            }
            make_candidates(shared_port);
            atomic_store(&over, false);
            pthread_create(&thread, NULL, disturb, NULL);
        }
        succeeded += call() == 0;
        leaked += count_leaks(host);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    dprintf(STDERR_FILENO, "tries %u, succeeded %u, leaked %u\n", tries, succeeded, leaked);
}

static int call_listen(void)
{
    return listen(PLACE, 1);
}

static int call_bind(void)
{
    return bind(PLACE, (struct sockaddr *)&shared_address, sizeof(struct sockaddr_in));
}

static void race_listen(const char *argument)
{
    race(argument, call_listen);
}

static void race_bind(const char *argument)
{
    race(argument, call_bind);
}

/* ---- around the filter ---- */

static void io_uring(const char *argument)
{
    char parameters[120] = {0};

    (void)argument;
    say("io_uring_setup", (int)syscall(IO_URING_SETUP, 8, parameters));
    say("io_uring_enter", (int)syscall(IO_URING_SETUP + 1, 0, 0, 0, 0, NULL, 0));
    say("io_uring_register", (int)syscall(IO_URING_SETUP + 2, 0, 0, NULL, 0));
}

static void in_child(const char *what, void (*call)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        call();
        _exit(0);
    }
    waitpid(child, &status, 0);
    dprintf(STDERR_FILENO, "%s: %s\n", what,
            WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "it went on");
}

#ifdef __x86_64__
static void call_x32(void)
{
    syscall(0x40000000 + SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void call_i386(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(359), "b"(2), "c"(1), "d"(0) : "memory");
}
#endif

static void foreign(const char *argument)
{
    (void)argument;
#ifdef __x86_64__
    in_child("x32", call_x32);
    in_child("i386", call_i386);
#endif
}

static void second_listener(const char *argument)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = allow};

    say("new listener", (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    say("new filter", (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    listen_unbound(argument);
}

/* A network namespace of its own is no way out either: what listens is still the tree's. */
static void own_network(const char *argument)
{
    uint64_t host = host_cookie();
    struct sockaddr_in address = at_port((unsigned)number_from(argument));
    int before = socket(AF_INET, SOCK_STREAM, 0), fd;

    say("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNET));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    say("bind", bind(before, (struct sockaddr *)&address, sizeof(address)));
    say("listen", listen(before, 1));
    say("listen", listen(fd, 1));
    dprintf(STDERR_FILENO, "%s\n", leaks(before, host) || leaks(fd, host) ? "LEAK" : "held");
}

/* ---- sockets from elsewhere ---- */

static int channel_at(const char *path, bool give)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (!give)
        return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
        return -1;
    say("giving", 0);
    return accept(fd, NULL, NULL);
}

/* The accomplice, outside of the tree: a plain socket, one of MPTCP, and one of SMC or nothing. */
static void give(const char *argument)
{
    int given[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 262)};
    char control[CMSG_SPACE(sizeof(given))] = {0}, byte = 0;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control};
    size_t count = given[1] >= 0 ? 2 : 1;
    int fd = channel_at(argument, true);
    struct cmsghdr *header;

    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), given, count * sizeof(int));
    say("given", (int)sendmsg(fd, &message, 0));
    (void)!read(fd, &byte, 1);
}

static void receive(const char *argument)
{
    int given[2] = {-1, -1}, fd = channel_at(argument, false);
    char control[CMSG_SPACE(sizeof(given))] = {0}, byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    uint64_t host = host_cookie();
    struct cmsghdr *header;

    say("received", (int)recvmsg(fd, &message, 0));
    header = CMSG_FIRSTHDR(&message);
    memcpy(given, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    for (size_t i = 0; i < 2 && given[i] >= 0; i++) {
        struct sockaddr_in address = at_port(0);

        say("bind", bind(given[i], (struct sockaddr *)&address, sizeof(address)));
        say("listen", listen(given[i], 1));
        dprintf(STDERR_FILENO, "protocol %d: %s\n", number_of(given[i], SO_PROTOCOL),
                leaks(given[i], host) ? "LEAK" : "held");
    }
}

/* ---- the keeper ---- */

static void keeper(const char *argument)
{
    char word[8];
    struct iovec here = {word, sizeof(word)}, there = {&host_cookie, sizeof(word)};
    int pidfd = (int)syscall(PIDFD_OPEN, 1, 0);

    (void)argument;
    say("ptrace", (int)ptrace(PTRACE_SEIZE, 1, NULL, NULL));
    say("read its memory", (int)process_vm_readv(1, &here, 1, &there, 1, 0));
    say("open its memory", open("/proc/1/mem", O_RDWR));
    say("open its network", open("/proc/1/ns/net", O_RDONLY));
    say("list its descriptors", open("/proc/1/fd/0", O_RDONLY));
    say("take a descriptor", (int)syscall(PIDFD_GETFD, pidfd, 3, 0));
    for (int number = 1; number < NSIG; number++)
        kill(1, number);
    say("it lives", getpgid(1) < 0 ? -1 : 0);
    say("signal it", kill(1, 0));
    listen_unbound(argument);
}

/* ---- sockets of the host without a path ---- */

/* "NAME": as a stream, and as datagrams connected and not. */
static void abstract(const char *argument)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argument));
    int stream = socket(AF_UNIX, SOCK_STREAM, 0), datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
    int pair[2] = {-1, -1}, raw[2] = {-1, -1}, own = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path + 1, argument, strlen(argument));
    say("connect", connect(stream, (struct sockaddr *)&address, length));
    address.sun_path[length - offsetof(struct sockaddr_un, sun_path)] = 'd';
    length++;
    say("send", (int)sendto(datagrams, "x", 1, 0, (struct sockaddr *)&address, length));
    say("connect for datagrams", connect(datagrams, (struct sockaddr *)&address, length));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    say("connect one of a pair", connect(pair[0], (struct sockaddr *)&address, length));
    say("send from one of a pair",
        (int)sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address, length));
    socketpair(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0, raw);
    say("connect one of a raw pair", connect(raw[0], (struct sockaddr *)&address, length));
    say("send from there", (int)send(pair[0], "x", 1, 0));
    address.sun_path[length - offsetof(struct sockaddr_un, sun_path)] = 'o';
    length++;
    say("bind one of its own", bind(own, (struct sockaddr *)&address, length));
    say("listen", listen(own, 1));
    say("connect to that",
        connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, length));
    (void)!read(STDIN_FILENO, raw, 1); /* it never ends */
}

static void bind_name(const char *what, int fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strncpy(address.sun_path + 1, name, sizeof(address.sun_path) - 2);
    say(what, bind(fd, (struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))));
}

/* "PATH", at which the host comes: it wants that for a name, too, with each socket that it can get.
 */
static void occupy(const char *argument)
{
    int pair[2], accepted = channel_at(argument, true);

    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    bind_name("one of a pair", pair[0], argument);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    bind_name("one of packets", pair[0], argument);
    bind_name("one that was accepted", accepted, argument);
    say("one of its own network", unshare(CLONE_NEWUSER | CLONE_NEWNET));
    bind_name("there", socket(AF_UNIX, SOCK_STREAM, 0), argument);
    dprintf(STDERR_FILENO, "of %s network\n",
            cookie_of(socket(AF_UNIX, SOCK_STREAM, 0)) == host_cookie() ? "that" : "another");
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    dprintf(STDERR_FILENO, "a pair of %s\n",
            cookie_of(pair[0]) == host_cookie() ? "that" : "another");
    (void)!read(accepted, &pair, 1);
}

/* ---- processes that do not want to end ---- */

static void stubborn(const char *argument)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE};
    int count = number_from(argument);

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    for (int i = 0; i < count; i++) {
        if (fork() == 0) {
            setsid();
            if (fork() != 0)
                _exit(0);
            prctl(PR_SET_PDEATHSIG, 0);
            if (i % 3 == 0)
                raise(SIGSTOP);
            for (;;)
                pause();
        }
    }
    while (wait(NULL) > 0)
        ;
    say("all are there", 0);
    pause();
}

static void leave_behind(const char *argument)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            say("left behind", 0);
            for (;;)
                pause();
        }
        _exit(0);
    }
    wait(NULL);
    usleep(100000);
    exit(number_from(argument));
}

static void grandchild(const char *argument)
{
    struct sockaddr_in address = at_port((unsigned)number_from(argument));
    uint64_t host = host_cookie();

    if (fork() == 0) {
        int fd;

        setsid();
        if (fork() != 0)
            _exit(0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        say("bind", bind(fd, (struct sockaddr *)&address, sizeof(address)));
        say("listen", listen(fd, 1));
        dprintf(STDERR_FILENO, "%s\n", leaks(fd, host) ? "LEAK" : "held");
        say("end", 0);
        for (;;)
            pause();
    }
    pause();
}

/* ---- what the keeper makes ---- */

/* In a root of its own, which only a user namespace of its own permits: paths end there. */
static void other_root(const char *argument)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/in/made.sock"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    say("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    say("chroot", chroot(argument));
    say("bind", bind(fd, (struct sockaddr *)&address, sizeof(address)));
    say("listen", listen(fd, 1));
    say("it is there", access("/in/made.sock", F_OK));
}

static void memfds(const char *argument)
{
    char *arguments[] = {(char[]){"x"}, NULL}, *environment[] = {NULL};
    int plain = memfd_create("plain", 0), exec = memfd_create("exec", 0x10);
    int from = open("/bin/true", O_RDONLY);

    (void)argument;
    say("memfd", plain);
    say("memfd that may be executed", exec);
    say("close on exec", (fcntl(plain, F_GETFD) & FD_CLOEXEC) == 0 ? 0 : -1);
    while (sendfile(plain, from, NULL, 65536) > 0)
        ;
    say("fexecve", fexecve(plain, arguments, environment));
    lseek(from, 0, SEEK_SET);
    while (sendfile(exec, from, NULL, 65536) > 0)
        ;
    say("fexecve of that", fexecve(exec, arguments, environment));
    say("map its code",
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, plain, 0) == MAP_FAILED ? -1 : 0);
}

static const struct {
    const char *name;
    void (*go)(const char *argument);
} ways[] = {
    {"every_socket", every_socket},
    {"listen_unbound", listen_unbound},
    {"race_listen", race_listen},
    {"race_bind", race_bind},
    {"io_uring", io_uring},
    {"foreign", foreign},
    {"second_listener", second_listener},
    {"own_network", own_network},
    {"give", give},
    {"receive", receive},
    {"keeper", keeper},
    {"abstract", abstract},
    {"occupy", occupy},
    {"stubborn", stubborn},
    {"leave_behind", leave_behind},
    {"grandchild", grandchild},
    {"memfds", memfds},
    {"other_root", other_root},
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (count == 3 && strcmp(arguments[1], ways[i].name) == 0) {
            ways[i].go(arguments[2]);
            say("end", 0);
            return EXIT_SUCCESS;
        }
    }
    return EXIT_FAILURE;
}
