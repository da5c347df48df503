/*
 * Any bytes as what the launcher says of a service that is alone: messages, each a length, whether
 * a descriptor comes along, and bytes. What is known of the service afterwards may be true, and
 * nothing is left open.
 */
#include "channel.h"
#include "fuzz.h"

#include "parent/alone.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct alone_options options = {.surface = "one", .standard = {-1, -1, -1}};
    struct launching launching = {.pidfd = -1};
    struct channel_said said;
    struct alone alone;
    int pair[2] = {-1, -1}, before = dup(STDERR_FILENO), after;

    close(before);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    require(channel_create(pair[0], &launching.launcher) == OK);
    while (channel_next(&data, &size, &said))
        channel_say(pair[1], &said, (said.choices & 1) != 0 ? STDERR_FILENO : -1);
    close(pair[1]);
    alone_init(&alone, &options);
    require(!alone_hear(&alone, &launching) && alone.over);
    require(alone.state < SERVICE_STATE_COUNT && (alone.state != SERVICE_READY || alone.port > 0));
    require(alone.code >= 0 && alone.code <= 255);
    require(memchr(alone.ports, '\0', sizeof(alone.ports)) != NULL);
    alone_clear(&alone);
    channel_destroy(launching.launcher);
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
