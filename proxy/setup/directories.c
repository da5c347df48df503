#include "setup/directories.h"

#include "base/log.h"
#include "system/trusted_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum error directories_make_control(const struct config *config,
                                    char directory[CONFIG_SOCKET_BYTES_MAX + 1])
{
    const char *path = config->control_socket;
    size_t length = (size_t)(strrchr(path, '/') - path);
    mode_t mode = config->operator_uid_count > 0 ? 0711 : 0700;
    struct trusted_path above;
    char why[WHY_SIZE];
    enum error error;

    snprintf(directory, CONFIG_SOCKET_BYTES_MAX + 1, "%.*s", length > 0 ? (int)length : 1, path);
    error = trusted_path_reach(directory, mode, &above, why);
    if (error == OK && !above.exists && mkdirat(above.directory, above.name, mode) != 0)
        error = error_explain(why, ERROR_IO, "The directory %s cannot be made: %s.", directory,
                              strerror(errno));
    if (error == OK)
        trusted_path_close(&above);
    else
        log_error("the control socket: %s", why);
    return error;
}

enum error directories_make(const struct config *config, char control[CONFIG_SOCKET_BYTES_MAX + 1])
{
    char why[WHY_SIZE];
    int fd;
    enum error error = trusted_path_open_private(config->state_dir, &fd, why);

    if (error != OK) {
        log_error("state_dir: %s", why);
        return error;
    }
    close(fd);
    return directories_make_control(config, control);
}
