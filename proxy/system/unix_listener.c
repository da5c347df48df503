#include "system/unix_listener.h"

#include "base/log.h"
#include "system/trusted_path.h"
#include "system/trusted_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

/* Nobody else can change what is found, so its path means the same from here on. */
static enum error find_place(const char *path, const char *key, struct trusted_path *out)
{
    char why[WHY_SIZE];
    enum error error = trusted_socket_check(path, TRUST_OWN, why);

    if (error == OK)
        error = trusted_path_find(path, TRUST_OWN, out, why);
    if (error != OK)
        log_error("%s: %s", key, why);
    return error;
}

/* Whether nobody answers there any more. */
static enum error check_stale(const struct sockaddr_un *address, const char *key)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result, reason;

    if (fd < 0)
        return ERROR_IO;
    result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    reason = errno;
    close(fd);
    if (result == 0 || reason == EAGAIN) {
        log_error("another Sidelock answers at %s: stop it first, or set %s elsewhere",
                  address->sun_path, key);
        return ERROR_EXISTS;
    }
    if (reason == ECONNREFUSED)
        return OK;
    log_error("%s cannot be replaced: %s", address->sun_path, strerror(reason));
    return ERROR_IO;
}

/*
 * Removes what a dead process of this user left: only a socket, and only if a connection to it is
 * refused.
 */
static enum error remove_stale(const struct trusted_path *place, const struct sockaddr_un *address,
                               const char *key)
{
    enum error error;

    if (!place->exists)
        return OK;
    if (!S_ISSOCK(place->facts.st_mode)) {
        log_error("%s is not a socket: move it away, or set %s elsewhere", address->sun_path, key);
        return ERROR_INVALID;
    }
    error = check_stale(address, key);
    if (error == OK && unlinkat(place->directory, place->name, 0) != 0) {
        log_error("%s cannot be replaced: %s", address->sun_path, strerror(errno));
        error = ERROR_IO;
    }
    return error;
}

static enum error bind_with(int fd, const struct sockaddr_un *address, mode_t mode, const char *key)
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
    log_error("%s: the socket %s cannot be bound: %s", key, address->sun_path, strerror(reason));
    return ERROR_IO;
}

enum error unix_listener_open(const char *path, const char *key, mode_t mode, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct trusted_path place;
    enum error error;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        log_error("%s is longer than the %zu bytes a socket's path may have: %s", key,
                  sizeof(address.sun_path) - 1, path);
        return ERROR_INVALID;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    error = find_place(path, key, &place);
    if (error != OK)
        return error;
    error = remove_stale(&place, &address, key);
    trusted_path_close(&place);
    if (error != OK)
        return error;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERROR_IO;
    error = bind_with(fd, &address, mode, key);
    if (error == OK)
        *out = fd;
    else
        close(fd);
    return error;
}
