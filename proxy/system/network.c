#include "system/network.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define FIRST_INODE   0xeffffff9u /* the first network namespace's, from Linux 6.18 on (nsfs.h) */
#define FIRST_COOKIE  1           /* and its cookie before */
#define DYNAMIC_INODE 0xf0000000u /* from here on they are given out as namespaces are made */

static uint64_t inode_of(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 ? facts.st_ino : 0;
}

static uint64_t cookie_of(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
        cookie = 0;
    close(fd);
    return cookie;
}

/* The first line of a small file; "". */
static void read_line(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, out, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    out[length > 0 ? length : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* /proc/1/ns/net is shown to few. A file of a network's /proc has an inode of its own, which
 * everybody sees who sees the process. */
void network_find(struct network_facts *out)
{
    uint64_t here = inode_of("/proc/self/net/tcp"), first = inode_of("/proc/1/net/tcp");

    *out = (struct network_facts){.inode = inode_of("/proc/self/ns/net"), .cookie = cookie_of()};
    if (here != 0 && first != 0)
        out->first = here == first ? FIRST_SAME : FIRST_OTHER;
    read_line("/proc/1/comm", out->first_name, sizeof(out->first_name));
}

/* What begins a whole system, of which a container may be one. */
static bool begins_system(const char *name)
{
    static const char *const names[] = {"", "systemd", "init", "launchd", "openrc-init", "runit"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

enum network_kind network_judge(const struct network_facts *facts, const char **why)
{
    *why = NULL;
    if (facts->inode == FIRST_INODE || facts->cookie == FIRST_COOKIE)
        return NETWORK_MACHINE;
    if (facts->inode < DYNAMIC_INODE || facts->cookie == 0)
        *why = "the kernel does not say which it is";
    else if (facts->first == FIRST_HIDDEN)
        *why = "/proc does not show where the first process is";
    else if (facts->first == FIRST_SAME && begins_system(facts->first_name))
        *why = "the first process, which is in it too, begins a whole system";
    return *why == NULL ? NETWORK_APART : NETWORK_UNKNOWN;
}

/* Of one that has gone meanwhile, too, it is said that none takes them. */
static enum network_loopback look_device(const char *devices, const char *name)
{
    char path[PATH_MAX], value[4];

    if (snprintf(path, sizeof(path), "%s/%s/route_localnet", devices, name) >= (int)sizeof(path))
        return NETWORK_LOOPBACK_UNKNOWN;
    read_line(path, value, sizeof(value));
    if (value[0] != '\0')
        return strcmp(value, "0") == 0 ? NETWORK_LOOPBACK_KEPT : NETWORK_LOOPBACK_TAKEN;
    *strrchr(path, '/') = '\0';
    return access(path, F_OK) == 0 ? NETWORK_LOOPBACK_UNKNOWN : NETWORK_LOOPBACK_KEPT;
}

/* "all" is there wherever the devices are. */
enum network_loopback network_look_loopback(const char *devices, char *out, size_t size)
{
    DIR *directory = opendir(devices);
    const struct dirent *entry;
    enum network_loopback one = NETWORK_LOOPBACK_UNKNOWN, all = NETWORK_LOOPBACK_UNKNOWN;
    bool unknown = false;

    while (one != NETWORK_LOOPBACK_TAKEN && directory != NULL &&
           (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0 ||
            strcmp(entry->d_name, "default") == 0)
            continue;
        one = look_device(devices, entry->d_name);
        unknown = unknown || one == NETWORK_LOOPBACK_UNKNOWN;
        if (strcmp(entry->d_name, "all") == 0)
            all = one;
        if (one == NETWORK_LOOPBACK_TAKEN)
            snprintf(out, size, "%s", entry->d_name);
    }
    if (directory != NULL)
        closedir(directory);
    if (one == NETWORK_LOOPBACK_TAKEN)
        return one;
    return unknown ? NETWORK_LOOPBACK_UNKNOWN : all;
}
