#include "broker/fences.h"

#include "base/log.h"
#include "broker/control/control.h"
#include "system/trusted_path.h"

#include <unistd.h>

enum error fences_hold_files(const struct config *config, struct proof *out)
{
    char control[CONFIG_SOCKET_BYTES_MAX + 1], why[WHY_SIZE];
    const struct landlock_place places[] = {{config->state_dir, LANDLOCK_MAY_KEEP},
                                            {control, LANDLOCK_MAY_KEEP}};
    int fd;
    enum error error = trusted_path_open_private(config->state_dir, &fd, why);

    if (error != OK) {
        log_error("state_dir: %s", why);
        return error;
    }
    close(fd);
    error = control_socket_directory(config, control);
    if (error == OK)
        error = proof_hold(FENCES_BROKER, places, sizeof(places) / sizeof(places[0]), out);
    if (error == OK)
        proof_log_lacking(out, FENCES_BROKER, "the broker");
    return error;
}
