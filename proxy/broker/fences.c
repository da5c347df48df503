#include "broker/fences.h"

#include "setup/directories.h"

enum error fences_hold_files(const struct config *config, struct proof *out)
{
    char control[CONFIG_SOCKET_BYTES_MAX + 1];
    const struct landlock_place places[] = {{config->state_dir, LANDLOCK_MAY_KEEP},
                                            {control, LANDLOCK_MAY_KEEP}};
    enum error error = directories_make(config, control);

    if (error == OK)
        error = proof_hold(FENCES_BROKER, places, sizeof(places) / sizeof(places[0]), out);
    if (error == OK)
        proof_log_lacking(out, FENCES_BROKER, "the broker");
    return error;
}
