/* launch/supervise: whether a port is anybody's on this host; what a service says in the log. */
#include "launch/supervise/leaks.h"
#include "launch/supervise/output.h"
#include "launch/supervise/vacancy.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uv_loop_t loop;

/* A listener at 127.0.0.1, on a port that the kernel gives to nobody who asks for any. */
static int listen_at(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    for (*port = 20011; *port < 32000; ++*port) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons(*port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0)
            return fd;
    }
    fail();
    return -1;
}

struct found {
    unsigned told;
    enum error error;
    char address[VACANCY_ADDRESS_SIZE];
};

static void on_proven(void *data, enum error error, const union address *where)
{
    struct found *found = data;

    found->told++;
    found->error = error;
    assert_int_equal(error == ERROR_DENIED, where != NULL);
    if (where != NULL)
        vacancy_print(where, found->address);
}

/* Of a gate that listens at `host`, if at all. */
static struct found prove(const char *host, uint16_t port)
{
    struct listen_address listens = {.host = (char *)(uintptr_t)host, .port = port};
    struct surface surface = {.listen = &listens, .listen_count = host != NULL};
    struct config config = {.surfaces = &surface, .surface_count = 1};
    struct found found = {0};

    uv_loop_init(&loop);
    assert_non_null(
        vacancy_begin(&loop, &(struct vacancy_subject){&config, port, false}, on_proven, &found));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(found.told, 1);
    return found;
}

TEST(test_somebody_answers)
{
    uint16_t port = 0;
    char expected[VACANCY_ADDRESS_SIZE];
    int fd = listen_at(&port);

    snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
    assert_string_equal(prove(NULL, port).address, expected);
    assert_string_equal(prove("::1", port).address, expected);
    close(fd);
    assert_string_equal(prove(NULL, port).address, "");
}

TEST(test_where_the_gate_listens_is_not_asked)
{
    uint16_t port = 0;
    int fd = listen_at(&port);

    assert_string_equal(prove("localhost", port).address, "");
    assert_string_equal(prove("127.0.0.1", port).address, "");
    assert_string_equal(prove("0.0.0.0", port).address, "");
    close(fd);
}

/* ---- What may not be asked ---- */

/* Whether the kernel has any other address than loopback's here. */
static bool is_elsewhere(void)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
        found = found ||
                (one->ifa_addr != NULL && (one->ifa_flags & IFF_LOOPBACK) == 0 &&
                 (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6));
    freeifaddrs(all);
    return found;
}

/* A process that may connect to nothing, as a policy of the machine has it. */
static int ask_fenced(void)
{
    static struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {sizeof(rows) / sizeof(rows[0]), rows};
    struct config config = {0};
    struct found beyond = {0}, all = {0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 2;
    uv_loop_init(&loop);
    vacancy_begin(&loop, &(struct vacancy_subject){&config, 1, true}, on_proven, &beyond);
    vacancy_begin(&loop, &(struct vacancy_subject){&config, 1, false}, on_proven, &all);
    uv_run(&loop, UV_RUN_DEFAULT);
    return beyond.told == 1 && beyond.error == ERROR_IO && all.told == 1 && all.error == OK ? 0 : 1;
}

TEST(test_what_may_not_be_connected_to_is_not_known)
{
    if (!is_elsewhere())
        skip();
    assert_int_equal(unit_status_of(ask_fenced), 0);
}

TEST(test_cancelled)
{
    struct config config = {0};
    struct found found = {0};

    uv_loop_init(&loop);
    vacancy_cancel(
        vacancy_begin(&loop, &(struct vacancy_subject){&config, 1, false}, on_proven, &found));
    vacancy_cancel(NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(found.told, 0);
}

/* ---- What it says ---- */

/* Lets it write, and returns what the log has of it. */
static char *logged(const char *said, size_t times, struct ration *ration)
{
    static char text[1 << 20];
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO), pair[2] = {0};
    struct output *output = NULL;
    size_t length;

    uv_loop_init(&loop);
    dup2(fileno(log), STDERR_FILENO);
    assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(output_create(&loop, "one", pair[0], ration, &output), OK);
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(write(pair[1], said, strlen(said)), strlen(said));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    close(pair[1]);
    output_end(output);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(log);
    length = fread(text, 1, sizeof(text) - 1, log);
    text[length] = '\0';
    fclose(log);
    return text;
}

/* ---- Whose the listeners of this host are ---- */

TEST(test_listeners_are_attributed)
{
    const struct config config = {.surface_count = 0};
    struct leaks_known known = {0};
    enum service_sight sight = SIGHT_NONE;
    struct leaks_subject subject = {
        .config = &config, .first = getpid(), .uid = 1, .known = &known};
    char found[LEAKS_FOUND_SIZE], expected[LEAKS_FOUND_SIZE];
    uint16_t port = 0;
    int fd, status = 0, closed[2] = {-1, -1};
    char byte = 0;
    pid_t child;

    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_string_equal(found, "");
    assert_int_equal(sight, SIGHT_HOST);
    fd = listen_at(&port);
    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    snprintf(expected, sizeof(expected),
             "its process %d has a listener at 127.0.0.1:%u on this host, past the gate",
             (int)getpid(), port);
    assert_string_equal(found, expected);
    /* A child of it is of the tree; its parent is not. */
    assert_int_equal(pipe2(closed, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        close(fd);
        if (write(closed[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(closed[0], &byte, 1), 1);
    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_string_equal(found, expected);
    subject.first = child;
    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_string_equal(found, "");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(closed[0]);
    close(closed[1]);
    close(fd);
    subject.first = getpid();
    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_string_equal(found, "");
}

TEST(test_the_port_is_somebody_elses)
{
    const struct config config = {.surface_count = 0};
    struct leaks_known known = {0};
    enum service_sight sight = SIGHT_NONE;
    struct leaks_subject subject = {
        .config = &config, .first = getpid(), .uid = 1, .known = &known};
    char found[LEAKS_FOUND_SIZE];
    int fd = listen_at(&subject.port);

    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_non_null(strstr(found, "which is the service's port"));
    close(fd);
    assert_int_equal(leaks_look(&subject, found, &sight), OK);
    assert_string_equal(found, "");
}

/* A listener that is in a message which nobody has received: no process has it. */
static int hide_listener(uint16_t *port, int ends[2])
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec bytes = {&byte, 1};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd = listen_at(port);

    *header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd))};
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        sendmsg(ends[0], &message, 0) != 1)
        return -1;
    close(fd);
    return 0;
}

/* What is seen of one of our own user, before it was known and after. */
static void look_for_hidden(char found[LEAKS_FOUND_SIZE], enum service_sight sights[2])
{
    static struct leaks_known known;
    const struct config config = {.surface_count = 0};
    const struct leaks_subject subject = {
        .config = &config, .first = getpid(), .uid = geteuid(), .known = &known};
    char nothing[LEAKS_FOUND_SIZE];
    int ends[2] = {-1, -1};
    uint16_t port = 0;

    leaks_know(&known);
    assert_int_equal(hide_listener(&port, ends), 0);
    assert_int_equal(leaks_look(&subject, found, &sights[0]), OK);
    leaks_know(&known);
    assert_int_equal(leaks_look(&subject, nothing, &sights[1]), OK);
    assert_string_equal(nothing, "");
    close(ends[0]);
    close(ends[1]);
}

static int look_as_nobody(void)
{
    char found[LEAKS_FOUND_SIZE];
    enum service_sight sights[2] = {SIGHT_NONE, SIGHT_NONE};

    if (setgid(65534) < 0 || setuid(65534) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return 1;
    look_for_hidden(found, sights);
    return found[0] == '\0' && sights[0] == SIGHT_TREE && sights[1] == SIGHT_HOST ? 0 : 2;
}

TEST(test_a_listener_that_is_nobodys)
{
    char found[LEAKS_FOUND_SIZE], host[32] = "";
    enum service_sight sights[2] = {SIGHT_NONE, SIGHT_NONE};
    bool all = readlink("/proc/self/ns/pid", host, sizeof(host) - 1) > 0 && geteuid() == 0 &&
               strcmp(host, "pid:[4026531836]") == 0;

    look_for_hidden(found, sights);
    assert_int_equal(sights[0], SIGHT_TREE);
    assert_int_equal(sights[1], SIGHT_HOST);
    if (all)
        assert_non_null(strstr(found, "came after the service and is no process's"));
    else
        assert_string_equal(found, "");
    if (geteuid() == 0)
        assert_int_equal(unit_status_of(look_as_nobody), 0);
}

TEST(test_lines)
{
    struct ration ration = {0};

    assert_string_equal(logged("a\n\nb", 1, &ration), "one: a\none: b\n");
    assert_null(strchr(logged("\033[2J\n", 1, &ration), '\033'));
}

TEST(test_too_much_is_counted)
{
    struct ration ration = {0};
    char line[OUTPUT_LINE_BYTES_MAX], *text;
    size_t lines = 0;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 2] = '\n';
    line[sizeof(line) - 1] = '\0';
    text = logged(line, 1000, &ration);
    for (const char *at = text; (at = strstr(at, "one: x")) != NULL; at++)
        lines++;
    assert_true(lines >= RATION_BURST_BYTES / (2 * OUTPUT_LINE_BYTES_MAX) && lines < 500);
    assert_non_null(strstr(text, "bytes that its service wrote are left out"));
}
