/* `sidelock worker`: what the broker starts; not for people. */
#include "base/log.h"
#include "broker/core/spawn.h"
#include "cli/cmd.h"
#include "setup/bundle.h"
#include "system/sandbox.h"
#include "worker/worker.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define LISTENERS_MAX (CONFIG_SURFACES_MAX * CONFIG_LISTEN_MAX * 2)

/* "0,0,1": which surface each inherited listener belongs to. */
static enum error parse_listeners(const char *text, struct worker_listener *out, size_t *count)
{
    struct span rest = span_of(text);

    *count = 0;
    while (rest.length > 0) {
        uint64_t surface;

        if (!text_number(span_split(&rest, ','), 4, &surface) || surface >= CONFIG_SURFACES_MAX ||
            *count == LISTENERS_MAX)
            return ERROR_SYNTAX;
        out[*count] = (struct worker_listener){SPAWN_LISTENER_FD + (int)*count, (uint32_t)surface};
        (*count)++;
    }
    return OK;
}

static bool started_by_broker(void)
{
    int type = 0;
    socklen_t length = sizeof(type);

    return getsockopt(SPAWN_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
           type == SOCK_SEQPACKET;
}

int cmd_worker(int argc, char **argv)
{
    static struct worker_listener listeners[LISTENERS_MAX];
    struct worker_options options = {.listeners = listeners, .channel_fd = SPAWN_CHANNEL_FD};
    struct config *config = NULL;
    enum error error;
    int code;

    log_set_name(""); /* the broker says whose lines these are */
    umask(S_IRWXG | S_IRWXO);
    /*
     * Ctrl-C reaches the whole process group, and a service manager's SIGTERM
     * every process of the service; the broker says when to go.
     */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (argc != 2 || !started_by_broker()) {
        log_error("a worker is started by `sidelock serve`, not by hand");
        return EX_USAGE;
    }
    error = parse_listeners(argv[1], listeners, &options.listener_count);
    if (error == OK)
        error = sandbox_prepare(SPAWN_LISTENER_FD + (int)options.listener_count);
    if (error == OK)
        error = handover_read(SPAWN_CONFIG_FD, &config);
    close(SPAWN_CONFIG_FD);
    for (size_t i = 0; error == OK && i < options.listener_count; i++) {
        if (listeners[i].surface >= config->surface_count)
            error = ERROR_SYNTAX;
    }
    if (error != OK) {
        log_error("cannot start: %s", error_text(error));
        config_destroy(config);
        return EX_SOFTWARE;
    }
    options.config = config;
    code = worker_run(&options);
    config_destroy(config);
    return code;
}
