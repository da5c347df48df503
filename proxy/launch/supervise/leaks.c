#include "launch/supervise/leaks.h"

#include "launch/supervise/vacancy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 16384
#define STAT_BYTES   512
#define SOCKET_LINK  "socket:[" /* and the inode: proc_pid_fd(5) */

struct listener_row {
    uint32_t inode, uid;
    union address address;
};

struct process_row {
    pid_t pid, parent;
    bool inside; /* of the tree */
};

struct look {
    const struct leaks_subject *subject;
    char *found;
    size_t listeners, processes, links;
    struct listener_row rows[LEAKS_LISTENERS_MAX]; /* by inode */
    struct process_row all[LEAKS_PROCESSES_MAX];
};

/* ---- The listeners of this host ---- */

static enum error add_listener(struct look *look, const struct inet_diag_msg *message)
{
    struct listener_row *row = &look->rows[look->listeners];

    if (look->listeners == LEAKS_LISTENERS_MAX)
        return ERROR_LIMIT;
    *row = (struct listener_row){.inode = message->idiag_inode, .uid = message->idiag_uid};
    row->address.base.sa_family = message->idiag_family;
    if (message->idiag_family == AF_INET) {
        memcpy(&row->address.in.sin_addr, message->id.idiag_src, sizeof(row->address.in.sin_addr));
        row->address.in.sin_port = message->id.idiag_sport;
    } else {
        memcpy(&row->address.in6.sin6_addr, message->id.idiag_src,
               sizeof(row->address.in6.sin6_addr));
        row->address.in6.sin6_port = message->id.idiag_sport;
    }
    look->listeners++;
    return OK;
}

/* One answer; ERROR_NOT_FOUND: more are to come. */
static enum error read_answer(struct look *look, const void *bytes, ssize_t length)
{
    enum error error = OK;

    for (const struct nlmsghdr *header = bytes; error == OK && NLMSG_OK(header, length);
         header = NLMSG_NEXT(header, length)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return OK;
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            return ERROR_IO;
        error = add_listener(look, NLMSG_DATA(header));
    }
    return error == OK ? ERROR_NOT_FOUND : error;
}

static enum error read_family(struct look *look, int fd, uint8_t family)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {.header = {.nlmsg_len = sizeof(ask),
                        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .request = {.sdiag_family = family,
                         .sdiag_protocol = IPPROTO_TCP,
                         .idiag_states = 1u << TCP_LISTEN}};
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    enum error error = ERROR_NOT_FOUND;

    if (send(fd, &ask, sizeof(ask), 0) < 0)
        return ERROR_IO;
    while (error == ERROR_NOT_FOUND) {
        ssize_t length = recv(fd, answer, sizeof(answer), 0);

        error = length > 0 ? read_answer(look, answer, length) : ERROR_IO;
    }
    return error;
}

static int by_inode(const void *left, const void *right)
{
    uint32_t one = ((const struct listener_row *)left)->inode;
    uint32_t other = ((const struct listener_row *)right)->inode;

    return (one > other) - (one < other);
}

static enum error read_listeners(struct look *look)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    enum error error = fd >= 0 ? read_family(look, fd, AF_INET) : ERROR_IO;

    if (error == OK)
        error = read_family(look, fd, AF_INET6);
    if (fd >= 0)
        close(fd);
    qsort(look->rows, look->listeners, sizeof(look->rows[0]), by_inode);
    return error;
}

/* ---- The port ---- */

static void find_port(struct look *look)
{
    const struct leaks_subject *subject = look->subject;
    char address[VACANCY_ADDRESS_SIZE];

    for (size_t i = 0; subject->port != 0 && i < look->listeners; i++) {
        const struct listener_row *row = &look->rows[i];

        if (ntohs(row->address.in.sin_port) != subject->port ||
            vacancy_is_ours(subject->config, &row->address, subject->port))
            continue;
        vacancy_print(&row->address, address);
        snprintf(look->found, LEAKS_FOUND_SIZE,
                 "uid %u listens at %s on this host, which is the service's port, past the gate",
                 row->uid, address);
    }
}

/* ---- The tree ---- */

/* "123 (a name) S 45 ...": the name may hold anything. */
static bool read_parent(int directory, const char *name, pid_t *out)
{
    char path[32], text[STAT_BYTES];
    const char *end;
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "%.10s/stat", name);
    fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    length = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    end = strrchr(text, ')');
    if (end == NULL || strlen(end) < 5)
        return false;
    *out = (pid_t)strtol(end + 4, NULL, 10);
    return true;
}

static enum error read_processes(struct look *look, DIR *proc)
{
    const struct dirent *entry;

    while ((entry = readdir(proc)) != NULL) {
        struct process_row *row = &look->all[look->processes];

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (look->processes == LEAKS_PROCESSES_MAX)
            return ERROR_LIMIT;
        *row = (struct process_row){.pid = (pid_t)strtol(entry->d_name, NULL, 10)};
        row->inside = row->pid == look->subject->first;
        if (read_parent(dirfd(proc), entry->d_name, &row->parent)) /* else it has gone meanwhile */
            look->processes++;
    }
    return OK;
}

static int by_pid(const void *left, const void *right)
{
    pid_t one = ((const struct process_row *)left)->pid;
    pid_t other = ((const struct process_row *)right)->pid;

    return (one > other) - (one < other);
}

/* Whoever's parent is inside is so; numbers wrap around, so parents may come later. */
static void mark_tree(struct look *look)
{
    bool more = true;

    qsort(look->all, look->processes, sizeof(look->all[0]), by_pid);
    while (more) {
        more = false;
        for (size_t i = 0; i < look->processes; i++) {
            struct process_row *row = &look->all[i], key = {.pid = row->parent};
            const struct process_row *parent =
                bsearch(&key, look->all, look->processes, sizeof(key), by_pid);

            if (row->inside || parent == NULL || !parent->inside)
                continue;
            row->inside = more = true;
        }
    }
}

static void find_link(struct look *look, pid_t pid, const char *target)
{
    char address[VACANCY_ADDRESS_SIZE];
    struct listener_row key = {.inode = 0};
    const struct listener_row *row;

    if (strncmp(target, SOCKET_LINK, strlen(SOCKET_LINK)) != 0)
        return;
    key.inode = (uint32_t)strtoul(target + strlen(SOCKET_LINK), NULL, 10);
    row = bsearch(&key, look->rows, look->listeners, sizeof(key), by_inode);
    if (row == NULL)
        return;
    vacancy_print(&row->address, address);
    snprintf(look->found, LEAKS_FOUND_SIZE,
             "its process %d has a listener at %s on this host, past the gate", (int)pid, address);
}

static enum error search(struct look *look, DIR *proc, pid_t pid)
{
    char path[32], target[64];
    const struct dirent *entry;
    enum error error = OK;
    DIR *links;
    int fd;

    snprintf(path, sizeof(path), "%d/fd", (int)pid);
    fd = openat(dirfd(proc), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    links = fd >= 0 ? fdopendir(fd) : NULL;
    if (links == NULL) {
        if (fd >= 0)
            close(fd);
        return errno == EACCES || errno == EPERM ? ERROR_DENIED : OK;
    }
    while (error == OK && (entry = readdir(links)) != NULL) {
        ssize_t length = readlinkat(dirfd(links), entry->d_name, target, sizeof(target) - 1);

        target[length > 0 ? length : 0] = '\0';
        find_link(look, pid, target);
        error = ++look->links < LEAKS_LINKS_MAX ? OK : ERROR_LIMIT;
    }
    closedir(links);
    return error;
}

/* One that cannot be looked into leaves the others to be. */
static enum error search_tree(struct look *look)
{
    DIR *proc = opendir("/proc");
    enum error error = proc != NULL ? read_processes(look, proc) : ERROR_IO, denied = OK;

    if (error == OK)
        mark_tree(look);
    for (size_t i = 0; error == OK && i < look->processes; i++) {
        if (look->all[i].inside)
            error = search(look, proc, look->all[i].pid);
        if (error == ERROR_DENIED) {
            denied = error;
            error = OK;
        }
    }
    if (proc != NULL)
        closedir(proc);
    return error == OK ? denied : error;
}

enum error leaks_look(const struct leaks_subject *subject, char found[LEAKS_FOUND_SIZE])
{
    struct look *look = malloc(sizeof(*look));
    enum error error;

    found[0] = '\0';
    if (look == NULL)
        return ERROR_MEMORY;
    look->subject = subject;
    look->found = found;
    look->listeners = look->processes = look->links = 0;
    error = read_listeners(look);
    find_port(look);
    if (error == OK && found[0] == '\0')
        error = search_tree(look);
    free(look);
    return error;
}
