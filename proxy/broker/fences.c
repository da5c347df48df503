#include "broker/fences.h"

#include "base/log.h"
#include "broker/control/control.h"
#include "system/fence.h"
#include "system/trusted_path.h"

#include <unistd.h>

enum error fences_hold_files(const struct config *config)
{
    char control[CONFIG_SOCKET_BYTES_MAX + 1], why[WHY_SIZE];
    const char *const directories[] = {config->state_dir, control};
    bool held = false;
    int fd;
    enum error error = trusted_path_open_private(config->state_dir, &fd, why);

    if (error != OK) {
        log_error("state_dir: %s", why);
        return error;
    }
    close(fd);
    error = control_socket_directory(config, control);
    if (error == OK)
        error = fence_files(directories, sizeof(directories) / sizeof(directories[0]), &held);
    if (error == OK && !held)
        log_warning("this kernel has no Landlock, or hides it: where the broker writes is not "
                    "fenced");
    return error;
}
