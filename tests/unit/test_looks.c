/* core/looks.c: what the looker is asked, and what those are told who wait for it. */
#include "broker/core/looks.h"

#include "ipc/channel.h"
#include "ipc/errand.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKER_PID 4711

static struct {
    uv_loop_t loop;
    struct proven looker_told;
    struct looks *looks;
    struct channel *looker; /* the other end */
    unsigned char bytes[IPC_MESSAGE_BYTES_MAX];
} world;

struct waiter {
    struct looks_wait wait; /* first */
    unsigned told;
    char program[CALLER_PROGRAM_SIZE]; /* "": not known */
};

static void turn(void)
{
    for (int i = 0; i < 4; i++)
        uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void attach(void)
{
    int pair[2] = {-1, -1};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel_destroy(world.looker);
    assert_int_equal(channel_create(pair[1], &world.looker), OK);
    looks_take_looker(world.looks, pair[0], LOOKER_PID);
    turn();
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    uv_loop_init(&world.loop);
    assert_int_equal(looks_create(&world.loop, &world.looker_told, &world.looks), OK);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    uv_walk(&world.loop, close_handle, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    looks_destroy(world.looks);
    channel_destroy(world.looker);
    return 0;
}

/* What the looker is asked next; NONE: nothing. */
static struct errand asked(void)
{
    struct errand errand = {.kind = ERRAND_NONE};
    const void *bytes = NULL;
    size_t length = 0;
    int fd = -1;

    turn();
    assert_int_equal(channel_receive(world.looker, &bytes, &length, &fd), OK);
    assert_int_equal(fd, -1);
    if (length > 0)
        assert_int_equal(errand_decode(bytes, length, &errand), OK);
    return errand;
}

static void expect_asked(uint32_t uid, uint32_t inode)
{
    struct errand errand = asked();

    assert_int_equal(errand.kind, ERRAND_CALLER);
    assert_int_equal(errand.place, uid);
    assert_int_equal(errand.number, inode);
}

static void say(struct errand errand, int fd)
{
    struct ipc_writer writer = {.bytes = world.bytes};

    errand_encode(&writer, &errand);
    assert_int_equal(channel_send(world.looker, &writer, fd), OK);
    turn();
}

static void say_program(uint32_t uid, uint32_t inode, const char *program)
{
    say((struct errand){.kind = ERRAND_PROGRAM, .place = uid, .number = inode, .text = program},
        -1);
}

static void expect_dropped(void)
{
    const void *bytes = NULL;
    size_t length = 0;
    int fd = -1;

    turn();
    assert_int_not_equal(channel_receive(world.looker, &bytes, &length, &fd), OK);
}

static void on_found(struct looks_wait *wait, const char *program)
{
    struct waiter *waiter = (struct waiter *)wait;

    waiter->told++;
    assert_true(program == NULL || program[0] != '\0');
    strcpy(waiter->program, program != NULL ? program : "");
}

static void find(struct waiter *waiter, uint32_t uid, uint32_t inode)
{
    *waiter = (struct waiter){.wait = {.uid = uid, .inode = inode, .found = on_found}};
    looks_find(world.looks, &waiter->wait);
    assert_int_equal(waiter->told, 0);
}

TEST_BETWEEN(test_one_after_the_other, set_up, tear_down)
{
    struct waiter one, two;

    find(&one, 1000, 7);
    find(&two, 1000, 8);
    attach();
    expect_asked(1000, 7);
    assert_int_equal(asked().kind, ERRAND_NONE);
    say_program(1000, 7, "/usr/bin/curl");
    assert_int_equal(one.told, 1);
    assert_string_equal(one.program, "/usr/bin/curl");
    assert_int_equal(two.told, 0);
    expect_asked(1000, 8);
    say_program(1000, 8, "");
    assert_int_equal(two.told, 1);
    assert_string_equal(two.program, "");
    assert_int_equal(asked().kind, ERRAND_NONE);
}

/* An answer to another question is nobody's: not for whoever waits, not for who waits no longer. */
TEST_BETWEEN(test_another_answer, set_up, tear_down)
{
    static char endless[CALLER_PROGRAM_SIZE + 1];
    static const struct {
        uint32_t uid, inode;
        const char *program;
    } rows[] = {{1000, 8, "/usr/bin/curl"}, {1001, 7, "/usr/bin/curl"}, {1000, 7, endless}};
    struct waiter one;

    memset(endless, '/', CALLER_PROGRAM_SIZE);
    find(&one, 1000, 7);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        attach();
        expect_asked(1000, 7);
        say_program(rows[i].uid, rows[i].inode, rows[i].program);
        expect_dropped();
        assert_int_equal(one.told, 0);
    }
    attach();
    expect_asked(1000, 7);
    say_program(1000, 7, "/usr/bin/curl");
    assert_string_equal(one.program, "/usr/bin/curl");
    say_program(1000, 7, "/usr/bin/curl"); /* once more, of nobody's asking */
    expect_dropped();
    assert_int_equal(one.told, 1);
}

TEST_BETWEEN(test_forgotten, set_up, tear_down)
{
    struct waiter one, two, three;

    attach();
    find(&one, 1000, 7);
    find(&two, 1000, 8);
    find(&three, 1000, 9);
    expect_asked(1000, 7);
    looks_forget(world.looks, &one.wait);
    looks_forget(world.looks, &one.wait);
    looks_forget(world.looks, &three.wait);
    say_program(1000, 7, "/usr/bin/curl");
    expect_asked(1000, 8);
    say_program(1000, 8, "/usr/bin/node");
    assert_int_equal(one.told + three.told, 0);
    assert_string_equal(two.program, "/usr/bin/node");
    assert_int_equal(asked().kind, ERRAND_NONE);
}

TEST_BETWEEN(test_another_looker, set_up, tear_down)
{
    struct waiter one;
    int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    attach();
    find(&one, 1000, 7);
    expect_asked(1000, 7);
    say((struct errand){.kind = ERRAND_PROOF, .number = 8 << 16 | 8}, status);
    assert_int_equal(world.looker_told.proof.tried, 8);
    assert_int_equal(world.looker_told.pid, LOOKER_PID);
    attach();
    assert_int_equal(world.looker_told.proof.tried, 0);
    expect_asked(1000, 7);
    channel_destroy(world.looker);
    world.looker = NULL;
    turn();
    assert_int_equal(one.told, 0);
    attach();
    expect_asked(1000, 7);
    say_program(1000, 7, "/usr/bin/curl");
    assert_int_equal(one.told, 1);
}

TEST_BETWEEN(test_what_none_of_ours_says, set_up, tear_down)
{
    static const struct errand rows[] = {
        {.kind = ERRAND_CALLER, .place = 1000, .number = 7},
        {.kind = ERRAND_PROGRAM, .place = 1000, .number = 7, .text = "/usr/bin/curl"},
        {.kind = ERRAND_STOP},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        attach();
        say(rows[i], -1);
        expect_dropped();
    }
    attach();
    say((struct errand){.kind = ERRAND_PROOF, .number = 8 << 16}, -1);
    say((struct errand){.kind = ERRAND_PROOF, .number = 8 << 16}, -1);
    expect_dropped();
    attach();
    say((struct errand){.kind = ERRAND_PROOF}, open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    expect_dropped();
    attach();
    say((struct errand){.kind = ERRAND_PROOF, .number = 8 << 16},
        open("/dev/null", O_RDONLY | O_CLOEXEC));
    expect_dropped();
}

/* All who wait are told at one time; what is answered late is nobody's, and the next is asked. */
TEST_BETWEEN(test_patience, set_up, tear_down)
{
    struct waiter one, two, three;
    uint64_t before;

    attach();
    find(&one, 1000, 7);
    find(&two, 1000, 8);
    before = uv_hrtime();
    while (one.told == 0 || two.told == 0)
        uv_run(&world.loop, UV_RUN_ONCE);
    assert_true(uv_hrtime() - before >= UINT64_C(1000000) * (LOOKS_PATIENCE_MS - 100));
    assert_string_equal(one.program, "");
    assert_string_equal(two.program, "");
    expect_asked(1000, 7);
    find(&three, 1000, 9);
    say_program(1000, 7, "/usr/bin/curl");
    expect_asked(1000, 9);
    say_program(1000, 9, "/usr/bin/node");
    assert_string_equal(three.program, "/usr/bin/node");
    assert_int_equal(one.told + two.told + three.told, 3);
}
