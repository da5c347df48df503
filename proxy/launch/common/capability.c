#include "launch/common/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum error capability_reduce(uint64_t set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) < 0)
        return ERROR_IO;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].permitted &= (uint32_t)(set >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0 ? OK : ERROR_IO;
}

enum error capability_keep(uint64_t set)
{
    for (unsigned long i = 0; i <= CAP_LAST_CAP; i++) {
        /* EINVAL: this kernel has fewer; EPERM: not held, so nothing to drop. */
        if ((set & CAPABILITY(i)) == 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 &&
            errno != EINVAL && errno != EPERM)
            return ERROR_IO;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return ERROR_IO;
    return capability_reduce(set);
}
