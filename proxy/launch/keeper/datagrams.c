#include "launch/keeper/datagrams.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC  "/proc"
#define QUEUE "sys/net/unix/max_dgram_qlen" /* of whoever looks it up */

void datagrams_read(char out[DATAGRAMS_SIZE])
{
    int fd = open(PROC "/" QUEUE, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, out, DATAGRAMS_SIZE - 1) : -1;

    out[length > 0 ? length : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* By a copy without what lies over it: switches are read-only in the trees of root. */
void datagrams_write(const char queue[DATAGRAMS_SIZE])
{
    int proc = (int)syscall(SYS_open_tree, AT_FDCWD, PROC, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int fd = proc >= 0 ? openat(proc, QUEUE, O_WRONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)!write(fd, queue, strlen(queue));
        close(fd);
    }
    if (proc >= 0)
        close(proc);
}
