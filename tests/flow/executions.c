/*
 * A service that tries to execute what it may not, each way once, and says on standard error what
 * came of it, a line a way: "ran", or the errno of the call that failed.
 *
 *     sidelock_executions PLACE ACCOMPLICE HIDDEN OUTSIDER
 *     sidelock_executions give ACCOMPLICE
 *
 * PLACE is a directory that it may write in; at the Unix socket ACCOMPLICE another one, of the
 * second kind, hands out a memfd with a program; HIDDEN is a socket it must not find; OUTSIDER a
 * process that is not of its tree. Called with "ran" alone, it has run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAN          42
#define NOT_LOADED   127 /* ld.so(8) */
#define SHELL        "/bin/sh"
#define BELOW        "/usr/lib/apt/methods/store" /* ends where its input does */
#define MEMFD_EXEC   0x10u                        /* memfd_create(2), kernel 6.3 */
#define NO_EXECUTION 99

#if defined(__x86_64__)
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define LOADER "/lib/ld-linux-aarch64.so.1"
#endif

static char self[PATH_MAX];

static void say(const char *way, const char *what)
{
    fprintf(stderr, "%s: %s\n", way, what);
}

static void say_error(const char *way, int error)
{
    say(way, error == 0 ? "done" : strerrorname_np(error));
}

/* The child's last word is its exit code, but for the errno of what failed, through the pipe. */
static void try_call(const char *way, void (*execute)(void *), void *argument)
{
    int pair[2], status = 0, error = 0;
    pid_t child;

    if (pipe2(pair, O_CLOEXEC) < 0)
        exit(EXIT_FAILURE);
    child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            dup2(nothing, fd);
        execute(argument);
        error = errno;
        (void)!write(pair[1], &error, sizeof(error));
        _exit(NO_EXECUTION);
    }
    close(pair[1]);
    (void)!read(pair[0], &error, sizeof(error));
    close(pair[0]);
    waitpid(child, &status, 0);
    if (error != 0)
        say_error(way, error);
    else
        say(way, WIFEXITED(status) && WEXITSTATUS(status) != NOT_LOADED ? "ran" : "failed");
}

static void execute_path(void *argument)
{
    char **words = argument;

    execv(words[0], words);
}

static void try_words(const char *way, ...)
{
    char *words[8] = {NULL};
    va_list rest;

    va_start(rest, way);
    for (size_t i = 0; i + 1 < sizeof(words) / sizeof(words[0]); i++) {
        words[i] = va_arg(rest, char *);
        if (words[i] == NULL)
            break;
    }
    va_end(rest);
    try_call(way, execute_path, words);
}

#define SHELL_WORDS "-c", "exit 42", (char *)NULL

/* ---- files of its own ---- */

static int copy_shell(int into)
{
    int from = open(SHELL, O_RDONLY | O_CLOEXEC);
    struct stat facts;

    if (from < 0 || fstat(from, &facts) < 0 ||
        sendfile(into, from, NULL, (size_t)facts.st_size) != facts.st_size)
        return -1;
    close(from);
    return 0;
}

static void make(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0700);

    if (fd < 0 || (text == NULL ? copy_shell(fd) < 0
                                : write(fd, text, strlen(text)) != (ssize_t)strlen(text))) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    close(fd);
}

static void try_link(const char *way, const char *program, const char *place, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", place, name);
    if (link(program, path) < 0)
        say_error(way, errno);
    else
        try_words(way, path, SHELL_WORDS);
}

static void try_files(const char *place)
{
    char copy[PATH_MAX], linked[PATH_MAX], script[PATH_MAX], text[PATH_MAX + 16];
    char shell[PATH_MAX];
    int fd;

    snprintf(copy, sizeof(copy), "%s/copy", place);
    snprintf(linked, sizeof(linked), "%s/linked", place);
    snprintf(script, sizeof(script), "%s/script", place);
    make(copy, NULL);
    try_words("a copy", copy, SHELL_WORDS);
    try_words("the loader, on a copy", LOADER, copy, SHELL_WORDS);
    if (realpath(SHELL, shell) != NULL)
        try_link("a link to a program", shell, place, "program");
    try_link("a link to a copy", copy, place, "of-copy");
    try_link("a link to itself", self, place, "of-self");
    snprintf(text, sizeof(text), "#!%s ran\n", self);
    make(script, text);
    try_words("a script", script, (char *)NULL);
    fd = open(copy, O_RDONLY | O_CLOEXEC);
    say_error("a copy mapped as code",
              mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0);
    close(fd);
    say_error("its own program changed", chmod(self, 0755) < 0 ? errno : 0);
    snprintf(linked, sizeof(linked), "%s/moved", place);
    mkdir(linked, 0700);
    strcat(linked, "/copy");
    say_error("a file moved to another directory", rename(copy, linked) < 0 ? errno : 0);
}

/* ---- files without a name ---- */

static void execute_descriptor(void *argument)
{
    static char name[] = "sh", option[] = "-c", script[] = "exit 42";
    char *words[] = {name, option, script, NULL};

    syscall(SYS_execveat, *(int *)argument, "", words, environ, AT_EMPTY_PATH);
}

static void try_memfd(const char *way, int fd)
{
    char by_name[64], path[32];

    try_call(way, execute_descriptor, &fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    snprintf(by_name, sizeof(by_name), "%s, by its path", way);
    try_words(by_name, path, SHELL_WORDS);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    snprintf(by_name, sizeof(by_name), "%s, by /dev/fd", way);
    try_words(by_name, path, SHELL_WORDS);
}

static void try_memfds(void)
{
    int fd = memfd_create("shell", 0);
    char path[32];

    if (fd < 0 || copy_shell(fd) < 0)
        exit(EXIT_FAILURE);
    try_memfd("a memfd", fd);
    say_error("a memfd made executable", fchmod(fd, 0700) < 0 ? errno : 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    try_words("the loader, on a memfd", LOADER, path, SHELL_WORDS);
    close(fd);
    fd = memfd_create("shell", MEMFD_EXEC);
    if (fd < 0 || copy_shell(fd) < 0) {
        say_error("a memfd that is to be executed", errno);
    } else {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        try_words("a memfd that is to be executed", path, SHELL_WORDS);
    }
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static void try_received(const char *accomplice)
{
    struct sockaddr_un address = address_of(accomplice);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), received;

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        recvmsg(fd, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) {
        perror("receive");
        exit(EXIT_FAILURE);
    }
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(received));
    try_memfd("a memfd received", received);
    close(received);
    close(fd);
}

static int give(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), memfd = memfd_create("shell", 0);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    static char byte[] = "x";
    struct iovec data = {byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    if (copy_shell(memfd) < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, 0777) < 0 || listen(listener, 1) < 0)
        return EXIT_FAILURE;
    fprintf(stderr, "giving\n");
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));
    return sendmsg(accept(listener, NULL, NULL), &message, 0) == 1 ? pause() : EXIT_FAILURE;
}

/* ---- others ---- */

static void try_others(const char *hidden, pid_t outsider)
{
    struct sockaddr_un address = address_of(hidden);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    say_error("a hidden socket",
              connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0);
    close(fd);
    say_error("a neighbour traced", ptrace(PTRACE_ATTACH, outsider, NULL, NULL) < 0 ? errno : 0);
    say_error("a neighbour ended", kill(outsider, SIGKILL) < 0 ? errno : 0);
}

static void mount_its_own(void *argument)
{
    const char *place = argument;
    char path[PATH_MAX];

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || mount("tmpfs", place, "tmpfs", 0, NULL) < 0)
        return;
    snprintf(path, sizeof(path), "%s/shell", place);
    make(path, NULL);
    execl(path, "sh", SHELL_WORDS);
}

/* One that is mounted nowhere: its files are reached by its descriptor. */
static void mount_nowhere(void *argument)
{
    char path[PATH_MAX];
    int context, mount;

    (void)argument;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return;
    context = (int)syscall(SYS_fsopen, "tmpfs", 0);
    if (context < 0 ||
        syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0)
        return;
    mount = (int)syscall(SYS_fsmount, context, 0, 0);
    if (mount < 0)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d/shell", mount);
    make(path, NULL);
    execl(LOADER, LOADER, path, SHELL_WORDS);
}

static void mount_anew(void *argument)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
        mount(NULL, argument, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
        return;
    errno = 0;
}

static void say_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    fprintf(stderr, "descriptors: %d\n", count - 3); /* ".", "..", and the directory itself */
}

int main(int count, char **words)
{
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (count >= 2 && strcmp(words[1], "ran") == 0)
        return RAN;
    if (count == 3 && strcmp(words[1], "give") == 0)
        return give(words[2]);
    if (count != 5 || length < 0)
        return EXIT_FAILURE;
    say_descriptors();
    try_words("itself", self, "ran", (char *)NULL);
    try_words("/proc/self/exe", "/proc/self/exe", "ran", (char *)NULL);
    try_words("the loader, on itself", LOADER, self, "ran", (char *)NULL);
    try_words("sh", SHELL, SHELL_WORDS);
    try_words("bash", "/bin/bash", SHELL_WORDS);
    try_words("python3", "/usr/bin/python3", "-c", "exit(42)", (char *)NULL);
    try_words("systemd-run", "/usr/bin/systemd-run", "--user", "/bin/true", (char *)NULL);
    try_words("the loader, on sh", LOADER, SHELL, SHELL_WORDS);
    try_words("a program below /usr/lib", BELOW, (char *)NULL);
    try_words("the loader, on that", LOADER, BELOW, (char *)NULL);
    try_files(words[1]);
    try_memfds();
    try_received(words[2]);
    try_others(words[3], (pid_t)strtol(words[4], NULL, 10));
    try_call("a file system of its own", mount_its_own, words[1]);
    try_call("a file system that is mounted nowhere", mount_nowhere, words[1]);
    try_call("its place mounted anew", mount_anew, words[1]);
    fprintf(stderr, "end: done\n");
    return EXIT_SUCCESS;
}
