#include "broker/control/socket.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

/* Makes the last directory of the path if it is missing; everything above must be there. */
static enum error make_directory(const char *path, mode_t mode)
{
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path)
        return OK;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    if (mkdir(directory, mode) == 0 || errno == EEXIST)
        return OK;
    log_error("the control socket's directory %s cannot be made: %s", directory, strerror(errno));
    return ERROR_IO;
}

/* Removes what a dead process left: only a socket, and only if a connection to it is refused. */
static enum error remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd, result, reason;

    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? OK : ERROR_IO;
    if (!S_ISSOCK(status.st_mode)) {
        log_error("%s is not a socket: move it away, or set control_socket elsewhere",
                  address->sun_path);
        return ERROR_INVALID;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERROR_IO;
    result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    reason = errno;
    close(fd);
    if (result == 0 || reason == EAGAIN) {
        log_error("another Sidelock answers at %s: stop it first, or set control_socket elsewhere",
                  address->sun_path);
        return ERROR_EXISTS;
    }
    if (reason != ECONNREFUSED || unlink(address->sun_path) != 0) {
        log_error("%s cannot be replaced: %s", address->sun_path,
                  strerror(reason != ECONNREFUSED ? reason : errno));
        return ERROR_IO;
    }
    return OK;
}

/* Binds under a umask, so that there is no moment with a wider mode. */
static enum error bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
    mode_t before = umask(0777 & ~mode);
    int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    int reason = errno;

    umask(before);
    if (result == 0 && listen(fd, BACKLOG) != 0) {
        reason = errno;
        result = -1;
        unlink(address->sun_path);
    }
    if (result == 0)
        return OK;
    log_error("the control socket %s cannot be bound: %s", address->sun_path, strerror(reason));
    return ERROR_IO;
}

enum error control_socket_listen(const struct config *config, int *out)
{
    const char *path = config->control_socket;
    bool shared = config->operator_uid_count > 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum error error;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        log_error("control_socket is longer than the %zu bytes a socket's path may have: %s",
                  sizeof(address.sun_path) - 1, path);
        return ERROR_INVALID;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    error = make_directory(path, shared ? 0711 : 0700);
    if (error == OK)
        error = remove_stale(&address);
    if (error != OK)
        return error;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERROR_IO;
    error = bind_with_mode(fd, &address, shared ? 0666 : 0600);
    if (error != OK) {
        close(fd);
        return error;
    }
    *out = fd;
    return OK;
}

bool control_socket_permits(const struct config *config, int fd, uint32_t *uid)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || length != sizeof(peer))
        return false;
    *uid = peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    for (size_t i = 0; i < config->operator_uid_count; i++) {
        if (config->operator_uids[i] == peer.uid)
            return true;
    }
    return false;
}
