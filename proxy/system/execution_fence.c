#include "system/execution_fence.h"

#include "system/landlock.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newer than the headers of Debian 12 (memfd_create(2), 6.3). */
#define NOEXEC_SEAL 0x08u

static bool seals_memory(void)
{
    int fd = memfd_create("probe", MFD_CLOEXEC | NOEXEC_SEAL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

const char *execution_fence_lacks(unsigned landlock)
{
    if (landlock < LANDLOCK_MOVES)
        return "Landlock of version 2 (Linux 5.19), without which a mount of its own gets round "
               "this";
    if (!seals_memory())
        return "memory that is sealed against execution (Linux 6.3), from which other programs run";
    return NULL;
}
