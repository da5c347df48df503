#include "launch/calls/file_calls.h"

#include <sys/syscall.h>

/* Newer than the headers of Debian 12 (fchmodat(2), 6.6). */
#define FCHMODAT2 452

#define NO_NAME                                                                                    \
    {                                                                                              \
        FILE_NONE, FILE_NONE                                                                       \
    }
#define ONE(descriptor, path)                                                                      \
    {                                                                                              \
        {(descriptor), (path)}, NO_NAME                                                            \
    }
#define TWO(descriptor, path, descriptor_there, path_there)                                        \
    {                                                                                              \
        {(descriptor), (path)},                                                                    \
        {                                                                                          \
            (descriptor_there), (path_there)                                                       \
        }                                                                                          \
    }

const struct file_call file_calls[] = {
    {SYS_openat, FILE_OPENED, 2, ONE(0, 1)},
    {SYS_openat2, FILE_OPENED, 2, ONE(0, 1)},
    {SYS_mkdirat, FILE_MADE, FILE_NONE, ONE(0, 1)},
    {SYS_mknodat, FILE_MADE, FILE_NONE, ONE(0, 1)},
    {SYS_symlinkat, FILE_MADE, FILE_NONE, ONE(1, 2)},
    {SYS_unlinkat, FILE_REMOVED, FILE_NONE, ONE(0, 1)},
    {SYS_renameat2, FILE_MOVED, FILE_NONE, TWO(0, 1, 2, 3)},
    {SYS_linkat, FILE_MOVED, FILE_NONE, TWO(0, 1, 2, 3)},
    {SYS_truncate, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_fchmod, FILE_CHANGED, FILE_NONE, ONE(0, FILE_NONE)},
    {SYS_fchmodat, FILE_CHANGED, FILE_NONE, ONE(0, 1)},
    {FCHMODAT2, FILE_CHANGED, FILE_NONE, ONE(0, 1)},
    {SYS_fchown, FILE_CHANGED, FILE_NONE, ONE(0, FILE_NONE)},
    {SYS_fchownat, FILE_CHANGED, FILE_NONE, ONE(0, 1)},
    {SYS_utimensat, FILE_CHANGED, FILE_NONE, ONE(0, 1)},
    {SYS_setxattr, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_lsetxattr, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_fsetxattr, FILE_CHANGED, FILE_NONE, ONE(0, FILE_NONE)},
    {SYS_removexattr, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_lremovexattr, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_fremovexattr, FILE_CHANGED, FILE_NONE, ONE(0, FILE_NONE)},
#ifdef SYS_renameat
    {SYS_renameat, FILE_MOVED, FILE_NONE, TWO(0, 1, 2, 3)},
#endif
#ifdef __x86_64__
    {SYS_open, FILE_OPENED, 1, ONE(FILE_HERE, 0)},
    {SYS_creat, FILE_OPENED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_mkdir, FILE_MADE, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_mknod, FILE_MADE, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_symlink, FILE_MADE, FILE_NONE, ONE(FILE_HERE, 1)},
    {SYS_unlink, FILE_REMOVED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_rmdir, FILE_REMOVED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_rename, FILE_MOVED, FILE_NONE, TWO(FILE_HERE, 0, FILE_HERE, 1)},
    {SYS_link, FILE_MOVED, FILE_NONE, TWO(FILE_HERE, 0, FILE_HERE, 1)},
    {SYS_chmod, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_chown, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_lchown, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_utime, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_utimes, FILE_CHANGED, FILE_NONE, ONE(FILE_HERE, 0)},
    {SYS_futimesat, FILE_CHANGED, FILE_NONE, ONE(0, 1)},
#endif
};

const size_t file_calls_count = sizeof(file_calls) / sizeof(file_calls[0]);
