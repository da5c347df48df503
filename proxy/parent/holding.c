#include "parent/holding.h"

#include "base/log.h"
#include "setup/directories.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void holding_harden(void)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        log_warning("core dumps could not be forbidden");
}

enum error holding_begin(const struct config *config, struct proof *proof)
{
    char control[CONFIG_SOCKET_BYTES_MAX + 1];
    const struct landlock_place places[] = {{"/dev/null", LANDLOCK_MAY_WRITE},
                                            {config->state_dir, LANDLOCK_MAY_KEEP},
                                            {control, LANDLOCK_MAY_KEEP},
                                            {"/proc/self/fd/2", LANDLOCK_MAY_WRITE}};
    size_t count = sizeof(places) / sizeof(places[0]);
    enum error error = directories_make(config, control);
    struct stat log = {0};

    /* The broker opens a terminal anew, to write without waiting (base/log.h); but no file. */
    if (fstat(STDERR_FILENO, &log) < 0 || !(S_ISCHR(log.st_mode) || S_ISFIFO(log.st_mode)))
        count--;

    if (error == OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        error = ERROR_IO;
    if (error == OK)
        error = proof_hold(FENCES_PARENT, places, count, proof);
    if (error == OK)
        proof_log_lacking(proof, FENCES_PARENT, "the parent");
    return error;
}
