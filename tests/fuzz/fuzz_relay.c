/*
 * Any bytes as what a relay reads: of the gate, requests and frames on some connections; of the
 * processes of a stdio service, lines; and of time, ticks. Messages: what it is, its length, and
 * bytes. Every descriptor is closed in the end, and nothing is left.
 */
#include "fuzz.h"

#include "launch/relay/deliver.h"
#include "launch/relay/request.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS     4
#define PROCESSES 4
#define ANSWERS   4096

enum what { LINK_SAYS = 0, LINK_CLOSES, PROCESS_SAYS, PROCESS_ENDS, TIME, KINDS };

static struct {
    uv_loop_t loop;
    struct house house;
    int links[LINKS]; /* the gate's ends */
    /* The processes' ends: what they read from, and what they write to. */
    int inputs[PROCESSES], outputs[PROCESSES];
    uint64_t now_ms;
} world;

static const struct link_events events = {request_bytes, request_gone, request_drained};

static void on_dry(void *data)
{
    session_gone(data);
}

static uint32_t wanted[PROCESSES];
static size_t wanted_count;

/* Later, as it is with a launcher. */
static void on_start(struct house *house, uint32_t number)
{
    (void)house;
    if (wanted_count < PROCESSES)
        wanted[wanted_count++] = number;
}

static void on_stop(struct house *house, uint32_t number)
{
    (void)house;
    (void)number;
}

static void start_wanted(void)
{
    for (size_t i = 0; i < wanted_count; i++) {
        struct session *session = session_of(&world.house, wanted[i]);
        int input[2], output[2];

        if (session == NULL || world.inputs[i] >= 0 || wanted[i] == 0)
            continue;
        require(pipe(input) == 0 && pipe(output) == 0);
        world.inputs[i] = input[0];
        world.outputs[i] = output[1];
        require(session_begin(session, input[1], output[0]) == OK);
        wanted[i] = 0;
    }
}

static void turn(void)
{
    for (int i = 0; i < 4; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    start_wanted();
    uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void say_on_link(size_t which, const uint8_t *bytes, size_t length)
{
    struct link *link;
    char answers[ANSWERS];
    int pair[2];

    if (world.links[which] < 0) {
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
        world.links[which] = pair[0];
        require(link_open(&world.loop, pair[1], &events, &world.house,
                          world.house.max_message_bytes, 1 << 20, &link) == OK);
        world.house.links_open++;
    }
    (void)!send(world.links[which], bytes, length, MSG_NOSIGNAL);
    turn();
    while (recv(world.links[which], answers, sizeof(answers), MSG_DONTWAIT) > 0)
        ;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pass_time(void)
{
    struct session *session = world.house.sessions, *next;

    world.now_ms += DELIVER_FIRST_MS;
    for (; session != NULL; session = next) {
        next = session->next;
        deliver_tick(session, world.now_ms);
        session_tick(session, world.now_ms);
    }
}

static void take(enum what what, size_t which, const uint8_t *bytes, size_t length)
{
    switch (what) {
    case LINK_SAYS:
        say_on_link(which, bytes, length);
        break;
    case LINK_CLOSES:
        close_end(&world.links[which]);
        break;
    case PROCESS_SAYS:
        if (world.outputs[which] >= 0)
            (void)!write(world.outputs[which], bytes, length);
        break;
    case PROCESS_ENDS:
        close_end(&world.outputs[which]);
        break;
    default:
        pass_time();
        break;
    }
    turn();
}

static void begin(void)
{
    require(uv_loop_init(&world.loop) == 0);
    world.house = (struct house){.loop = &world.loop,
                                 .events = {deliver_line, deliver_too_long, on_dry},
                                 .max_message_bytes = 1024,
                                 .max_answer_bytes = 1024,
                                 .idle_ms = 5000,
                                 .start = on_start,
                                 .stop = on_stop};
    require(json_scan_create(&world.house.scan) == OK);
    world.now_ms = uv_now(&world.loop);
    wanted_count = 0;
    memset(wanted, 0, sizeof(wanted));
    for (size_t i = 0; i < LINKS; i++)
        world.links[i] = -1;
    for (size_t i = 0; i < PROCESSES; i++)
        world.inputs[i] = world.outputs[i] = -1;
}

/* Links first, then the processes, as when a relay's session ends. */
static void end(void)
{
    for (size_t i = 0; i < LINKS; i++)
        close_end(&world.links[i]);
    turn();
    while (world.house.sessions != NULL)
        session_gone(world.house.sessions);
    turn();
    require(world.house.links_open == 0);
    for (size_t i = 0; i < PROCESSES; i++) {
        close_end(&world.inputs[i]);
        close_end(&world.outputs[i]);
    }
    uv_run(&world.loop, UV_RUN_DEFAULT);
    require(uv_loop_close(&world.loop) == 0);
    json_scan_destroy(world.house.scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int before = dup(STDERR_FILENO), after;

    close(before);
    begin();
    while (size > 3) {
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;

        if (length > size - 3)
            length = size - 3;
        take((enum what)(data[0] % KINDS), data[0] / KINDS % LINKS, data + 3, length);
        data += 3 + length;
        size -= 3 + length;
    }
    end();
    after = dup(STDERR_FILENO);
    close(after);
    require(before == after);
    return 0;
}
