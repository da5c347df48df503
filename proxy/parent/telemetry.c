#include "parent/telemetry.h"

#include "base/log.h"
#include "setup/directories.h"
#include "system/listener.h"
#include "system/unix_listener.h"

#include <time.h>
#include <unistd.h>

#define BIND_PATIENCE_MS 2000 /* who was killed lets go of the port soon */
#define BIND_RETRY_MS    20
#define SOCKET_MODE      0660 /* the directory says who else comes to it */

static enum error open_address(const struct listen_address *address, struct telemetry *out)
{
    const struct timespec pause = {.tv_nsec = BIND_RETRY_MS * 1000000L};
    struct listener opened[2];
    char why[WHY_SIZE];
    enum error error = ERROR_EXISTS;

    for (unsigned waited = 0; error == ERROR_EXISTS && waited < BIND_PATIENCE_MS;
         waited += BIND_RETRY_MS) {
        error = listener_open(address->host, address->port, opened, &out->count, why);
        if (error == ERROR_EXISTS)
            nanosleep(&pause, NULL);
    }
    if (error != OK) {
        log_error("telemetry: %s", why);
        return error;
    }
    for (size_t i = 0; i < out->count; i++)
        out->listeners[i] = opened[i].fd;
    return OK;
}

enum error telemetry_open(const struct config *config, struct telemetry *out)
{
    const struct config_telemetry *telemetry = &config->telemetry;
    char control[CONFIG_SOCKET_BYTES_MAX + 1];
    enum error error;

    out->count = 0;
    if (telemetry->listen.host != NULL)
        return open_address(&telemetry->listen, out);
    if (telemetry->socket == NULL)
        return OK;
    error = directories_make(config, control); /* where it may lie */
    if (error == OK)
        error = unix_listener_open(telemetry->socket, "telemetry.listen", SOCKET_MODE,
                                   &out->listeners[0]);
    out->count = error == OK ? 1 : 0;
    return error;
}

void telemetry_close(struct telemetry *telemetry)
{
    for (size_t i = 0; i < telemetry->count; i++)
        close(telemetry->listeners[i]);
    telemetry->count = 0;
}
