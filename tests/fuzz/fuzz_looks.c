/*
 * Any bytes as what the looker says to the broker: messages, each a length, whether a descriptor
 * comes along, and bytes. Whoever waits is told once at most; every descriptor is closed in the
 * end.
 */
#include "channel.h"
#include "fuzz.h"

#include "broker/core/looks.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITS 4

static unsigned told[WAITS];
static struct looks_wait waits[WAITS];

static void on_found(struct looks_wait *wait, const char *program)
{
    require(++told[wait - waits] == 1);
    require(program == NULL || (program[0] != '\0' && strlen(program) < CALLER_PROGRAM_SIZE));
}

static void say_all(uv_loop_t *loop, int channel, const uint8_t *data, size_t size)
{
    struct channel_said said;

    while (channel_next(&data, &size, &said)) {
        channel_say(channel, &said, (said.choices & 1) != 0 ? STDERR_FILENO : -1);
        uv_run(loop, UV_RUN_NOWAIT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proven looker = {.pid = 0};
    struct looks *looks = NULL;
    uv_loop_t loop;
    int pair[2] = {-1, -1}, before = dup(STDERR_FILENO), after;

    close(before);
    memset(told, 0, sizeof(told));
    require(uv_loop_init(&loop) == 0 && looks_create(&loop, &looker, &looks) == OK);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    looks_take_looker(looks, pair[0], 1);
    for (size_t i = 0; i < WAITS; i++) {
        waits[i] = (struct looks_wait){.uid = 1, .inode = (uint32_t)i, .found = on_found};
        looks_find(looks, &waits[i]);
    }
    say_all(&loop, pair[1], data, size);
    for (size_t i = 0; i < WAITS; i++)
        looks_forget(looks, &waits[i]);
    uv_walk(&loop, channel_close_handle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    require(uv_loop_close(&loop) == 0);
    looks_destroy(looks);
    close(pair[1]);
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
