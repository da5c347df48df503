#include "launch/keeper/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned itself(const char *path, unsigned flag)
{
    return path[0] == '\0' ? flag : 0;
}

enum error mounts_set(int at, const char *path, unsigned attributes)
{
    struct mount_attr changed = {.attr_set = attributes};
    unsigned flags = AT_RECURSIVE | itself(path, AT_EMPTY_PATH);

    return syscall(SYS_mount_setattr, at, path, flags, &changed, sizeof(changed)) == 0 ? OK
                                                                                       : ERROR_IO;
}

int mounts_copy(int at, const char *path, unsigned attributes)
{
    int mount = (int)syscall(SYS_open_tree, at, path,
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
                                 itself(path, AT_EMPTY_PATH));

    if (mount >= 0 && attributes != 0 && mounts_set(mount, "", attributes) != OK) {
        close(mount);
        return -1;
    }
    return mount;
}

enum error mounts_lay(int mount, int at, const char *path)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | itself(path, MOVE_MOUNT_T_EMPTY_PATH);

    return syscall(SYS_move_mount, mount, "", at, path, flags) == 0 ? OK : ERROR_IO;
}
