/* `sidelock worker`: what the broker starts; not for people. */
#include "base/log.h"
#include "cli/cmd.h"
#include "parent/spawning.h"
#include "setup/bundle.h"
#include "system/sandbox.h"
#include "worker/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* "0,0,1": slots, each below `end`. */
static enum error parse_slots(const char *text, uint64_t end, uint32_t *out, size_t max,
                              size_t *count)
{
    struct span rest = span_of(text);

    *count = 0;
    while (rest.length > 0) {
        uint64_t slot;

        if (!text_number(span_split(&rest, ','), 4, &slot) || slot >= end || *count == max)
            return ERROR_SYNTAX;
        out[(*count)++] = (uint32_t)slot;
    }
    return OK;
}

/* Of each inherited listener, of each surface of the configuration; and how many connections. */
static enum error parse(char **arguments, struct worker_options *options, size_t *surfaces)
{
    static struct worker_listener listeners[SPAWNING_LISTENERS_MAX];
    static uint32_t slots[CONFIG_SURFACES_MAX], of_listeners[SPAWNING_LISTENERS_MAX];
    uint64_t connections;
    enum error error = parse_slots(arguments[0], CONFIG_SLOT_TELEMETRY + 1, of_listeners,
                                   SPAWNING_LISTENERS_MAX, &options->listener_count);

    if (error == OK)
        error = parse_slots(arguments[1], CONFIG_SLOTS_MAX, slots, CONFIG_SURFACES_MAX, surfaces);
    if (error != OK || !text_number(span_of(arguments[2]), 9, &connections))
        return ERROR_SYNTAX;
    for (size_t i = 0; i < options->listener_count; i++)
        listeners[i] = (struct worker_listener){SPAWN_LISTENER_FD + (int)i, of_listeners[i]};
    options->listeners = listeners;
    options->slots = slots;
    options->connections = (size_t)connections;
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
    struct worker_options options = {.read = handover_read, .channel_fd = SPAWN_CHANNEL_FD};
    struct config *config = NULL;
    size_t surfaces = 0;
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
    signal(SIGUSR2, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (argc != 1 + SPAWN_ARGUMENTS || !started_by_broker()) {
        log_error("a worker is started by `sidelock serve`, not by hand");
        return EX_USAGE;
    }
    error = parse(argv + 1, &options, &surfaces);
    if (error == OK)
        error = sandbox_prepare(SPAWN_LISTENER_FD + (int)options.listener_count);
    /* It goes with its parent, and with its channel to the broker. */
    if (error == OK && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        error = ERROR_IO;
    if (error == OK)
        error = handover_read(SPAWN_CONFIG_FD, getuid(), &config);
    close(SPAWN_CONFIG_FD);
    if (error == OK && surfaces != config->surface_count)
        error = ERROR_SYNTAX;
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
