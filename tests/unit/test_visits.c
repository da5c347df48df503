/* core/visits.c: which sessions the launcher is told of when they end, whatever crosses what. */
#include "broker/core/visits.h"

#include "broker/core/launcher_line.h"
#include "ipc/channel.h"
#include "unit.h"

#include <string.h>
#include <sys/socket.h>

#define SESSION "0123456789abcdef0123456789abcdef"
#define LATER   INT64_MAX

static struct {
    struct gate gate;
    struct visits visits;
    struct surface_state surface;
    struct channel *launcher; /* the other end */
} world;

static enum error take(void *context, const struct errand *errand, int fd)
{
    (void)fd;
    return visits_take(context, &world.surface, errand);
}

static void lost(void *context)
{
    visits_lose(context);
}

static int set_up(void **state)
{
    const struct launcher_listener listener = {"launcher", take, lost, &world.visits};
    int pair[2] = {-1, -1};

    (void)state;
    memset(&world, 0, sizeof(world));
    uv_loop_init(&world.gate.loop);
    visits_open(&world.visits, &world.gate);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(channel_create(pair[1], &world.launcher), OK);
    world.visits.line = launcher_line_open(&world.gate.loop, pair[0], &listener);
    assert_non_null(world.visits.line);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&world.visits.timer, NULL);
    launcher_line_close(world.visits.line);
    uv_run(&world.gate.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.gate.loop), 0);
    visits_clear(&world.visits);
    channel_destroy(world.launcher);
    return 0;
}

static void visit(uint32_t number)
{
    const struct errand errand = {.kind = ERRAND_VISIT, .number = number, .text = SESSION};

    assert_int_equal(visits_add(&world.visits, &errand, LATER), OK);
}

static void say_left(uint32_t number)
{
    unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
    struct ipc_writer writer = {.bytes = bytes};

    errand_encode(&writer,
                  &(struct errand){.kind = ERRAND_LEFT, .number = number, .text = SESSION});
    assert_int_equal(channel_send(world.launcher, &writer, -1), OK);
    uv_run(&world.gate.loop, UV_RUN_NOWAIT);
}

/* Whether the launcher is told that the session has ended, which it is. */
static bool is_told_of_the_end(void)
{
    struct errand errand = {.kind = ERRAND_NONE};
    const void *bytes = NULL;
    size_t length = 0;
    int fd = -1;

    visits_cut(&world.visits, SESSION);
    assert_int_equal(channel_receive(world.launcher, &bytes, &length, &fd), OK);
    if (length == 0)
        return false;
    assert_int_equal(errand_decode(bytes, length, &errand), OK);
    assert_int_equal(errand.kind, ERRAND_LEAVE);
    assert_string_equal(errand.text, SESSION);
    return true;
}

TEST_BETWEEN(test_one_of_which_nothing_is_left, set_up, tear_down)
{
    visit(1);
    visit(2);
    say_left(2);
    assert_null(world.visits.first);
    assert_false(is_told_of_the_end());
}

/* Its processes have ended while another connection was asked for, which starts others. */
TEST_BETWEEN(test_left_crosses_visit, set_up, tear_down)
{
    visit(1);
    visit(2);
    say_left(1);
    assert_true(is_told_of_the_end());
    say_left(2);
    assert_null(world.visits.first);
}

/* What it ends is what it was told of; who comes after that is a visit of its own. */
TEST_BETWEEN(test_an_end_is_told_once_a_visit, set_up, tear_down)
{
    visit(1);
    assert_true(is_told_of_the_end());
    assert_false(is_told_of_the_end());
    visit(2);
    say_left(1);
    assert_true(is_told_of_the_end());
}

TEST_BETWEEN(test_what_was_never_visited, set_up, tear_down)
{
    say_left(1);
    say_left(0);
    assert_false(is_told_of_the_end());
}
