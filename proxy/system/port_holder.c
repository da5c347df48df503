#include "system/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENS   0x0a /* TCP_LISTEN in /proc/net/tcp, proc(5) */
#define NAME_SIZE 17   /* of a process, with NUL and the line's end */

#define HOST_SIZE 33 /* of an address as words in hex, with NUL */

struct holder {
    unsigned uid;
    unsigned long inode;
};

/* As the kernel prints it: words of the bytes as they lie in memory. */
static unsigned write_host(const struct sockaddr *address, char out[HOST_SIZE])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    uint32_t words[4] = {v4->sin_addr.s_addr};
    size_t count = 1;

    if (address->sa_family == AF_INET6) {
        memcpy(words, &v6->sin6_addr, sizeof(words));
        count = 4;
    }
    for (size_t i = 0; i < count; i++)
        snprintf(out + 8 * i, 9, "%08X", words[i]);
    return ntohs(v4->sin_port); /* both kinds have it in the same place */
}

/* One line: "  0: 0100007F:1F91 00000000:0000 0A queues timer retransmits uid timeout inode ...".
 */
static bool read_line(char *line, const struct sockaddr *address, struct holder *out)
{
    enum { LOCAL = 1, STATE = 3, UID = 7, INODE = 9, FIELDS };
    char wanted[HOST_SIZE], *fields[FIELDS], *rest = NULL;
    unsigned port = write_host(address, wanted);
    size_t length;

    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
        if (fields[i] == NULL)
            return false;
    }
    length = strcspn(fields[LOCAL], ":");
    if (fields[LOCAL][length] != ':' || strtoul(fields[LOCAL] + length + 1, NULL, 16) != port ||
        strtoul(fields[STATE], NULL, 16) != LISTENS ||
        (strncmp(fields[LOCAL], wanted, length) != 0 && strspn(fields[LOCAL], "0") < length))
        return false;
    out->uid = (unsigned)strtoul(fields[UID], NULL, 10);
    out->inode = strtoul(fields[INODE], NULL, 10);
    return true;
}

static bool find_in(const char *table, const struct sockaddr *address, struct holder *out)
{
    FILE *file = fopen(table, "re");
    bool found = false;
    char line[512];

    while (!found && file != NULL && fgets(line, sizeof(line), file) != NULL)
        found = read_line(line, address, out);
    if (file != NULL)
        fclose(file);
    return found;
}

/* Whether one of the descriptors in /proc/PID/fd is this socket. */
static bool holds(int proc, const char *pid, const char *socket)
{
    char path[64], target[64];
    int fd;
    DIR *directory;
    const struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof(path), "%.20s/fd", pid);
    fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!found && (entry = readdir(directory)) != NULL) {
        ssize_t length = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

        target[length > 0 ? length : 0] = '\0';
        found = strcmp(target, socket) == 0;
    }
    closedir(directory);
    return found;
}

static void read_name(int proc, const char *pid, char out[NAME_SIZE])
{
    char path[64];
    ssize_t length = 0;
    int fd;

    snprintf(path, sizeof(path), "%.20s/comm", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        length = read(fd, out, NAME_SIZE - 1);
        close(fd);
    }
    out[length > 0 ? length : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* ", process P (NAME)" */
static void tell_process(unsigned long inode, char *out, size_t size)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    char socket[64], name[NAME_SIZE];

    snprintf(socket, sizeof(socket), "socket:[%lu]", inode);
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !holds(dirfd(processes), entry->d_name, socket))
            continue;
        read_name(dirfd(processes), entry->d_name, name);
        snprintf(out, size, ", process %.20s (%s)", entry->d_name, name);
        break;
    }
    if (processes != NULL)
        closedir(processes);
}

void port_holder_tell(const struct sockaddr *address, char out[PORT_HOLDER_SIZE])
{
    struct holder holder;
    size_t length;

    out[0] = '\0';
    /* One that listens on :: may hold the port for IPv4 as well. */
    if (!(address->sa_family == AF_INET && find_in("/proc/net/tcp", address, &holder)) &&
        !find_in("/proc/net/tcp6", address, &holder))
        return;
    snprintf(out, PORT_HOLDER_SIZE, "; it is held by uid %u", holder.uid);
    length = strlen(out);
    tell_process(holder.inode, out + length, PORT_HOLDER_SIZE - length);
}
