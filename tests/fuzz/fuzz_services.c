/*
 * Any bytes as what the launcher says to the broker: messages, each a length, whether a descriptor
 * comes along, and bytes. Whoever waits is told once at most; every descriptor is closed in the
 * end.
 */
#include "channel.h"
#include "fuzz.h"

#include "../unit/temporary.h"
#include "broker/core/services.h"
#include "config/load.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIALS 4

static const char text[] =
    "{\"state_dir\":\"/nowhere\",\"surfaces\":{\"one\":{\"listen\":[\"localhost:1\"],\"upstream\":{"
    "\"command\":[\"/bin/cat\"]},\"dialect\":\"mcp\"}}}";

static struct config *config;
static unsigned told[DIALS];
static struct services_dial dials[DIALS];

static void on_dialed(struct services_dial *dial, enum reason reason, int fd)
{
    require(++told[dial - dials] == 1 && reason_allows(reason) == (fd >= 0));
    if (fd >= 0)
        close(fd);
}

static void say_all(uv_loop_t *loop, int channel, const uint8_t *data, size_t size)
{
    struct channel_said said;

    while (channel_next(&data, &size, &said)) {
        channel_say(channel, &said, (said.choices & 1) != 0 ? STDERR_FILENO : -1);
        uv_run(loop, UV_RUN_NOWAIT);
    }
}

/* One file for all, which nobody looks for. */
static void open_log(struct gate *gate)
{
    char path[TEMPORARY_PATH_SIZE];

    if (gate->audit != NULL)
        return;
    require(temporary_make(path) != NULL);
    snprintf(gate->audit_path, sizeof(gate->audit_path), "%s/audit", path);
    require(audit_open(gate->audit_path, &gate->audit) == OK);
    temporary_remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_faults faults;
    static struct gate gate;
    struct services *services;
    int pair[2] = {-1, -1}, before, after;

    open_log(&gate);
    before = dup(STDERR_FILENO);
    close(before);
    memset(told, 0, sizeof(told));
    if (config == NULL)
        require(config_load(text, strlen(text), NULL, 0, getuid(), &config, &faults) == OK);
    require(surfaces_create(config, &gate.surfaces) == OK && uv_loop_init(&gate.loop) == 0);
    require(quotas_create(CONFIG_SLOTS_MAX, &gate.quotas) == OK);
    require(services_create(&gate, &services) == OK);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    services_take_launcher(services, pair[0]);
    for (size_t i = 0; i < DIALS; i++) {
        dials[i] = (struct services_dial){.dialed = on_dialed};
        services_dial(services, &gate.surfaces.items[0], &dials[i]);
    }
    say_all(&gate.loop, pair[1], data, size);
    for (size_t i = 0; i < DIALS; i++)
        services_forget(services, &dials[i]);
    uv_walk(&gate.loop, channel_close_handle, NULL);
    uv_run(&gate.loop, UV_RUN_DEFAULT);
    require(uv_loop_close(&gate.loop) == 0);
    services_destroy(services);
    surfaces_clear(&gate.surfaces);
    quotas_destroy(gate.quotas);
    close(pair[1]);
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
