#include "launch/supervise/hardening.h"

#include "system/fence.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* Each process of a stdio service costs it some; services are not forked from here. */
static enum error raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? OK : ERROR_IO;
}

enum error hardening_begin(void)
{
    const struct rlimit none = {0, 0};

    return raise_descriptors() == OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                   setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
               ? OK
               : ERROR_IO;
}

enum error hardening_close(struct proof *proof)
{
    enum error error = proof_hold(FENCES_LAUNCHER, NULL, 0, proof);

    return error == OK ? fence_launcher_calls() : error;
}
