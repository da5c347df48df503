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
/* The PID namespace that has all processes of this host (PROC_PID_INIT_INO in include/linux/). */
#define ALL_PROCESSES "pid:[4026531836]"

struct listener_row {
    uint32_t inode, uid;
    union address address;
    bool stranger; /* of the tree's user, and nobody's so far */
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

/* A listener of this host that one of its processes has, or, of others, somebody has. */
static void find_link(struct look *look, const struct process_row *process, const char *target)
{
    char address[VACANCY_ADDRESS_SIZE];
    struct listener_row key = {.inode = 0};
    struct listener_row *row;

    if (strncmp(target, SOCKET_LINK, strlen(SOCKET_LINK)) != 0)
        return;
    key.inode = (uint32_t)strtoul(target + strlen(SOCKET_LINK), NULL, 10);
    row = bsearch(&key, look->rows, look->listeners, sizeof(key), by_inode);
    if (row == NULL)
        return;
    row->stranger = false;
    if (!process->inside)
        return;
    vacancy_print(&row->address, address);
    snprintf(look->found, LEAKS_FOUND_SIZE,
             "its process %d has a listener at %s on this host, past the gate", (int)process->pid,
             address);
}

static enum error search(struct look *look, DIR *proc, const struct process_row *process)
{
    char path[32], target[64];
    const struct dirent *entry;
    enum error error = OK;
    DIR *links;
    int fd;

    snprintf(path, sizeof(path), "%d/fd", (int)process->pid);
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
        find_link(look, process, target);
        error = ++look->links < LEAKS_LINKS_MAX ? OK : ERROR_LIMIT;
    }
    closedir(links);
    return error;
}

/* Those of the tree, or all others. One that cannot be looked into leaves others to be. */
static enum error search_all(struct look *look, DIR *proc, bool inside)
{
    enum error error = OK, denied = OK;

    for (size_t i = 0; error == OK && i < look->processes; i++) {
        if (look->all[i].inside == inside)
            error = search(look, proc, &look->all[i]);
        if (error == ERROR_DENIED) {
            denied = error;
            error = OK;
        }
    }
    return error == OK ? denied : error;
}

/* ---- Strangers ---- */

static bool is_known(const struct leaks_known *known, uint32_t inode)
{
    size_t i = 0;

    while (i < known->count && known->inodes[i] != inode)
        i++;
    return i < known->count;
}

static size_t mark_strangers(struct look *look)
{
    const struct leaks_subject *subject = look->subject;
    size_t count = 0;

    for (size_t i = 0; i < look->listeners; i++) {
        struct listener_row *row = &look->rows[i];

        row->stranger =
            row->uid == subject->uid && row->inode != 0 && !is_known(subject->known, row->inode) &&
            !vacancy_is_ours(subject->config, &row->address, ntohs(row->address.in.sin_port));
        count += row->stranger;
    }
    return count;
}

static const struct listener_row *first_stranger(const struct look *look)
{
    size_t i = 0;

    while (i < look->listeners && !look->rows[i].stranger)
        i++;
    return i < look->listeners ? &look->rows[i] : NULL;
}

/* Where some are hidden (proc(5), hidepid), the first is. */
static bool sees_all_processes(const struct look *look)
{
    char name[sizeof(ALL_PROCESSES)] = "";

    return readlink("/proc/self/ns/pid", name, sizeof(name) - 1) ==
               (ssize_t)strlen(ALL_PROCESSES) &&
           look->processes > 0 && look->all[0].pid == 1 && strcmp(name, ALL_PROCESSES) == 0;
}

/* Sets `*suspect` to the inode of one that is nobody's where everybody was looked into. */
static enum service_sight attribute(struct look *look, DIR *proc, uint32_t *suspect)
{
    const struct listener_row *stranger;
    enum error error;

    if (mark_strangers(look) == 0)
        return SIGHT_HOST;
    error = search_all(look, proc, false);
    stranger = first_stranger(look);
    if (stranger == NULL)
        return SIGHT_HOST;
    if (error == OK && sees_all_processes(look))
        *suspect = stranger->inode;
    return SIGHT_TREE;
}

/* ---- The whole ---- */

static enum error look_around(struct look *look, DIR *proc, enum service_sight *sight,
                              uint32_t *suspect)
{
    enum error error = read_processes(look, proc);

    if (error != OK)
        return error;
    mark_tree(look);
    error = search_all(look, proc, true);
    if (error == ERROR_DENIED)
        *sight = SIGHT_PART;
    else if (error == OK && look->found[0] == '\0')
        *sight = attribute(look, proc, suspect);
    return error;
}

static enum error look_once(struct look *look, enum service_sight *sight, uint32_t *suspect)
{
    DIR *proc;
    enum error error;

    *sight = SIGHT_NONE;
    *suspect = 0;
    look->listeners = look->processes = look->links = 0;
    error = read_listeners(look);
    find_port(look);
    if (error != OK || look->found[0] != '\0')
        return error;
    proc = opendir("/proc");
    if (proc == NULL)
        return ERROR_IO;
    error = look_around(look, proc, sight, suspect);
    closedir(proc);
    return error;
}

static void expose_stranger(struct look *look)
{
    const struct listener_row *row = first_stranger(look);
    char address[VACANCY_ADDRESS_SIZE];

    vacancy_print(&row->address, address);
    snprintf(look->found, LEAKS_FOUND_SIZE,
             "a listener of uid %u at %s on this host came after the service and is no process's",
             row->uid, address);
}

enum error leaks_look(const struct leaks_subject *subject, char found[LEAKS_FOUND_SIZE],
                      enum service_sight *sight)
{
    struct look *look = malloc(sizeof(*look));
    uint32_t suspect = 0, before = 0;
    enum error error = OK;

    found[0] = '\0';
    *sight = SIGHT_NONE;
    if (look == NULL)
        return ERROR_MEMORY;
    look->subject = subject;
    look->found = found;
    for (unsigned i = 0; i < LEAKS_TRIES && (i == 0 || suspect != 0); i++) {
        before = suspect;
        error = look_once(look, sight, &suspect);
        if (before != suspect && i > 0)
            suspect = 0;
    }
    if (suspect != 0 && found[0] == '\0')
        expose_stranger(look);
    free(look);
    return error;
}

/* More than there is room for are as if they had come later. */
void leaks_know(struct leaks_known *out)
{
    struct look *look = malloc(sizeof(*look));

    out->count = 0;
    if (look == NULL)
        return;
    look->listeners = 0;
    (void)!read_listeners(look);
    for (size_t i = 0; i < look->listeners && out->count < LEAKS_KNOWN_MAX; i++)
        out->inodes[out->count++] = look->rows[i].inode;
    free(look);
}
