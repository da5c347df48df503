/*
 * A service that tries to connect to where it may not, in all ways that there are. A line a way on
 * standard error, with what came of it: "done", the name of an errno.
 *
 *     reaching_service ways ALLOWED REFUSED       each an IPv4 address and a port: 127.0.0.1:80
 *     reaching_service race ALLOWED REFUSED COUNT
 *     reaching_service wait ALLOWED FULL          FULL takes no connections any more
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in allowed, refused;

static void say(const char *way, int result)
{
    fprintf(stderr, "%s: %s\n", way, result < 0 ? strerrorname_np(errno) : "done");
}

static struct sockaddr_in parse(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');

    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        abort();
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static int dial(int socket, const struct sockaddr_in *address)
{
    return connect(socket, (const struct sockaddr *)address, sizeof(*address));
}

static int stream(int flags)
{
    return socket(AF_INET, SOCK_STREAM | flags, 0);
}

/* Until it is connected or not. */
static int await(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof(error);

    if (poll(&polled, 1, 10000) != 1)
        errno = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0)
        errno = error;
    return errno == 0 ? 0 : -1;
}

static int dial_unblocked(const struct sockaddr_in *address)
{
    int fd = stream(SOCK_NONBLOCK);
    int result = dial(fd, address);

    if (result < 0 && errno == EINPROGRESS)
        result = await(fd);
    close(fd);
    return result;
}

static int dial_six(const char *prefix, const struct sockaddr_in *to)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = to->sin_port};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), result;

    inet_pton(AF_INET6, prefix, &address.sin6_addr);
    memcpy(address.sin6_addr.s6_addr + 12, &to->sin_addr, 4);
    result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    close(fd);
    return result;
}

static int dial_from_child(void)
{
    int status, code = fork();

    if (code == 0)
        _exit(dial(stream(0), &refused) < 0 ? errno : 0);
    waitpid(code, &status, 0);
    errno = WEXITSTATUS(status);
    return errno == 0 ? 0 : -1;
}

static int send_fast(int way)
{
    int fd = stream(0);
    struct iovec bytes = {.iov_base = "x", .iov_len = 1};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &refused,
                                          .msg_namelen = sizeof(refused),
                                          .msg_iov = &bytes,
                                          .msg_iovlen = 1}};
    ssize_t sent;

    if (way == 0)
        sent = sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&refused, sizeof(refused));
    else if (way == 1)
        sent = sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN);
    else
        sent = sendmmsg(fd, &message, 1, MSG_FASTOPEN);
    close(fd);
    return (int)sent;
}

static int set(int family, int level, int name)
{
    char value[44] = {0};
    int fd = socket(family, SOCK_STREAM, 0), one = 1, result;

    memcpy(value, &one, sizeof(one));
    result = setsockopt(fd, level, name, value, level == IPPROTO_TCP ? sizeof(one) : 0);
    close(fd);
    return result;
}

/* Whether an answer to a datagram comes. */
static int ask(const struct sockaddr_in *to, bool connected)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), result = connected ? dial(fd, to) : 0;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char answer;

    if (result == 0)
        result = (int)(connected ? send(fd, "x", 1, 0)
                                 : sendto(fd, "x", 1, 0, (const struct sockaddr *)to, sizeof(*to)));
    if (result >= 0 && poll(&polled, 1, 3000) != 1) {
        errno = ETIMEDOUT;
        result = -1;
    } else if (result >= 0) {
        result = (int)recv(fd, &answer, 1, 0);
    }
    close(fd);
    return result;
}

static int dial_unix(const char *path, size_t length)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0), result;

    memcpy(name.sun_path, path, length);
    result = bind(listener, (struct sockaddr *)&name, size);
    if (result == 0)
        result = listen(listener, 1);
    if (result == 0)
        result = connect(fd, (struct sockaddr *)&name, size);
    close(fd);
    close(listener);
    return result;
}

/* A connection is taken back, and another made with the socket. */
static int dial_again(void)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int fd = stream(0), result = dial(fd, &allowed);

    if (result == 0)
        result = connect(fd, &none, sizeof(none));
    if (result == 0)
        result = dial(fd, &refused);
    close(fd);
    return result;
}

static int dial_own(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(own);
    int listener = stream(0), fd = stream(0), result;

    if (bind(listener, (struct sockaddr *)&own, length) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&own, &length) < 0)
        return -1;
    result = dial(fd, &own);
    close(fd);
    close(listener);
    return result;
}

static void try_all(void)
{
    char path[108], folder[32];
    int fd = stream(0);

    say("allowed", dial(fd, &allowed));
    say("allowed, again", dial(fd, &allowed));
    close(fd);
    say("allowed, without blocking", dial_unblocked(&allowed));
    say("allowed, by the other family", dial_six("::ffff:0.0.0.0", &allowed));
    say("allowed, by datagrams", ask(&allowed, true));
    say("allowed, by datagrams with an address", ask(&allowed, false));
    say("its own", dial_own());
    say("refused", dial(stream(0), &refused));
    say("refused, without blocking", dial_unblocked(&refused));
    say("refused, by the other family", dial_six("::ffff:0.0.0.0", &refused));
    say("refused, by a translator", dial_six("64:ff9b::", &refused));
    say("refused, of a child", dial_from_child());
    say("refused, with a used socket", dial_again());
    say("refused, by datagrams", ask(&refused, true));
    say("fast open", send_fast(0));
    say("fast open of a message", send_fast(1));
    say("fast open of messages", send_fast(2));
    say("fast open later", set(AF_INET, IPPROTO_TCP, TCP_FASTOPEN_CONNECT));
    say("no delay", set(AF_INET, IPPROTO_TCP, TCP_NODELAY));
    say("by another address", set(AF_INET, IPPROTO_IP, IP_OPTIONS));
    say("by another address of IPv6", set(AF_INET6, IPPROTO_IPV6, IPV6_RTHDR));
    snprintf(folder, sizeof(folder), "/tmp/reaching-XXXXXX"); /* all trees count from 1 */
    if (mkdtemp(folder) == NULL)
        exit(EXIT_FAILURE);
    snprintf(path, sizeof(path), "%s/socket", folder);
    say("a path", dial_unix(path, strlen(path) + 1));
    unlink(path);
    rmdir(folder);
    path[0] = '\0';
    say("an abstract name", dial_unix(path, 12));
}

/* ---- A second thread changes what is being judged ---- */

static union {
    struct sockaddr_in in;
    struct sockaddr_un name;
} shared;
static struct sockaddr_un unix_name = {.sun_family = AF_UNIX};
static atomic_bool over;
static atomic_int changed_socket = -1;
enum { SWAPPED = 100 };

static void *change_address(void *none)
{
    while (!atomic_load(&over)) {
        memcpy(&shared, &refused, sizeof(refused));
        __asm__ volatile("" ::: "memory");
        memcpy(&shared, &allowed, sizeof(allowed));
        __asm__ volatile("" ::: "memory");
    }
    return none;
}

/* The descriptor of a Unix socket becomes that of one that connects to hosts, and so its address.
 */
static void *change_socket(void *path)
{
    int other = socket(AF_UNIX, SOCK_STREAM, 0);

    while (!atomic_load(&over)) {
        dup2(other, SWAPPED);
        memcpy(&shared, path, sizeof(unix_name));
        if (atomic_load(&changed_socket) >= 0)
            dup2(atomic_load(&changed_socket), SWAPPED);
        memcpy(&shared, &refused, sizeof(refused));
    }
    return NULL;
}

static bool is_there(int fd)
{
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof(peer);

    return getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
           memcmp(&peer.sin_addr, &refused.sin_addr, 4) == 0 && peer.sin_port == refused.sin_port;
}

static void race(void *(*change)(void *), bool sockets, int count)
{
    int through = 0, made = 0;
    pthread_t thread;

    atomic_store(&over, false);
    pthread_create(&thread, NULL, change, &unix_name);
    for (int i = 0; i < count; i++) {
        int fd = stream(0), result;

        if (sockets)
            atomic_store(&changed_socket, fd);
        result = connect(sockets ? SWAPPED : fd, (struct sockaddr *)&shared,
                         sockets ? sizeof(unix_name) : sizeof(allowed));
        made += result == 0;
        through += is_there(fd);
        if (sockets)
            atomic_store(&changed_socket, -1);
        close(fd);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    fprintf(stderr, "%s: %d got through, some were made: %s\n", sockets ? "sockets" : "addresses",
            through, made > 0 ? "yes" : "no");
}

/* ---- Waiting ---- */

static atomic_bool waits;

static void *wait_there(void *none)
{
    atomic_store(&waits, true);
    dial(stream(0), &refused);
    return none;
}

static void on_alarm(int number)
{
    (void)number;
}

static void wait_for(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct sockaddr_in full = refused;
    pthread_t thread;
    int fd;

    sigaction(SIGALRM, &action, NULL);
    pthread_create(&thread, NULL, wait_there, NULL);
    while (!atomic_load(&waits))
        usleep(1000);
    usleep(100000);
    say("beside one that waits", dial(stream(0), &allowed));
    fd = stream(SOCK_NONBLOCK);
    say("without blocking", dial(fd, &full));
    say("once more", dial(fd, &full));
    fd = stream(0);
    pthread_detach(thread);
    alarm(1);
    say("interrupted", dial(fd, &full));
    setsockopt(fd = stream(0), SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_usec = 200000},
               sizeof(struct timeval));
    say("with a limit of its own", dial(fd, &full));
}

int main(int count, char **arguments)
{
    if (count < 4)
        return EXIT_FAILURE;
    allowed = parse(arguments[2]);
    refused = parse(arguments[3]);
    memcpy(&shared, &allowed, sizeof(allowed));
    snprintf(unix_name.sun_path, sizeof(unix_name.sun_path), "/tmp/nobody");
    if (strcmp(arguments[1], "ways") == 0) {
        try_all();
    } else if (strcmp(arguments[1], "race") == 0) {
        race(change_address, false, (int)strtol(arguments[4], NULL, 10));
        race(change_socket, true, (int)strtol(arguments[4], NULL, 10));
    } else {
        wait_for();
    }
    fprintf(stderr, "end: done\n");
    return EXIT_SUCCESS;
}
