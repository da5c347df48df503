/*
 * Any bytes as what parent and broker say to the launcher: messages, each a length, who says it and
 * whether a descriptor comes along, and bytes. Nothing is started, as there is no spawner; it ends,
 * and leaves nothing open.
 */
#include "channel.h"
#include "fuzz.h"

#include "config/load.h"
#include "launch/supervise/supervisor.h"
#include "setup/bundle.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char text[] =
    "{\"state_dir\":\"/nowhere\",\"surfaces\":{\"one\":{\"listen\":[\"localhost:1\"],\"upstream\":{"
    "\"command\":[\"/bin/cat\"]},\"dialect\":\"mcp\"},"
    "\"two\":{\"listen\":[\"localhost:2\"],\"upstream\":{\"stdio\":true,\"command\":[\"/bin/"
    "cat\"]},"
    "\"dialect\":\"mcp\"},"
    "\"three\":{\"listen\":[\"localhost:3\"],\"upstream\":{\"stdio\":true},\"dialect\":\"mcp\"}}}";

/* For each input anew there would be one more. */
enum error __wrap_fence_launcher_calls(void);
enum error __wrap_fence_launcher_calls(void)
{
    return OK;
}

enum error __wrap_fence_without_rings(void);
enum error __wrap_fence_without_rings(void)
{
    return OK;
}

static void read_config(struct config_bundle *out)
{
    static struct json_faults faults;

    *out = (struct config_bundle){.length = strlen(text)};
    require(config_load(text, out->length, NULL, 0, getuid(), &out->config, &faults) == OK);
    out->path = strdup("/nowhere/c");
    out->text = strdup(text);
    require(bundle_seal(out) == OK);
}

static void say_all(const int channels[2], int config, const uint8_t *data, size_t size)
{
    struct channel_said said;

    while (channel_next(&data, &size, &said))
        channel_say(channels[said.choices & 1], &said, (said.choices & 2) != 0 ? config : -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_bundle other;
    int parent[2] = {-1, -1}, broker[2] = {-1, -1}, spawner[2] = {-1, -1};
    int before = dup(STDERR_FILENO), after;
    struct supervisor_options options = {0};

    close(before);
    read_config(&other);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent) == 0 &&
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, broker) == 0 &&
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, spawner) == 0);
    options.parent = parent[0];
    options.broker = broker[0];
    options.spawner = spawner[0];
    say_all((const int[]){parent[1], broker[1]}, other.sealed, data, size);
    close(parent[1]);
    close(broker[1]);
    close(spawner[1]);
    (void)supervisor_run(&options);
    bundle_clear(&other);
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
