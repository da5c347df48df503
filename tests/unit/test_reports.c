/* reports.c: what a session whose messages are refused hears, and that each is told or counted. */
#include "worker/client/reports.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSION "00112233445566778899aabbccddeeff"

/* A worker without clients, and the broker's end of its channel. */
static struct {
    struct worker worker;
    struct config config;
    struct surface surface;
    struct channel *broker;
    uint64_t told, counted; /* what the broker has heard */
} world;

static int set_up(void **state)
{
    int pair[2];

    (void)state;
    memset(&world, 0, sizeof(world));
    world.config.surfaces = &world.surface;
    world.config.surface_count = 1;
    world.worker.config = &world.config;
    world.worker.slots[0].surface = &world.surface;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
        uv_loop_init(&world.worker.loop) != 0 ||
        channel_create(pair[0], &world.worker.channel) != OK ||
        channel_create(pair[1], &world.broker) != OK)
        return -1;
    return worker_allocate(&world.worker) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    reports_settle(&world.worker, true);
    assert_null(world.worker.all_reported);
    assert_int_equal(world.worker.reported.count, 0);
    hash_clear(&world.worker.reported);
    uv_loop_close(&world.worker.loop);
    worker_release(&world.worker);
    channel_destroy(world.broker);
    return 0;
}

#define REPORTS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static void hear(void)
{
    const void *bytes;
    size_t length;
    int fd;

    do {
        assert_int_equal(channel_flush(world.worker.channel), OK);
        assert_int_equal(channel_receive(world.broker, &bytes, &length, &fd), OK);
        if (length > 0 && ipc_type_of(bytes, length) == IPC_SUPPRESSED) {
            struct ipc_suppressed suppressed;

            assert_int_equal(ipc_decode(IPC_SUPPRESSED, bytes, length, &suppressed), OK);
            assert_string_equal(suppressed.session_id, SESSION);
            world.counted += suppressed.count;
        } else if (length > 0) {
            assert_int_equal(ipc_type_of(bytes, length), IPC_REFUSED);
            world.told++;
        }
    } while (length > 0);
}

static struct report_verdict refuse(enum direction direction, bool observed)
{
    static char target[1024];

    memset(target, 'x', sizeof(target) - 1);
    return reports_refused(&world.worker, SESSION,
                           &(struct ipc_refused){.direction = (uint32_t)direction,
                                                 .observed = observed,
                                                 .reason = REASON_TARGET_REFUSED,
                                                 .verb = "tools/call",
                                                 .target = target});
}

REPORTS_TEST(test_slower_and_slower_and_then_not_at_all)
{
    const unsigned limit = quota_info(QUOTA_REPORTS)->limit;
    struct report_verdict verdict;
    uint64_t before_ms = 0;

    for (unsigned i = 0; i < limit; i++) {
        verdict = refuse(DIRECTION_C2S, false);
        assert_true(verdict.pause_ms == 0 && !verdict.cut);
    }
    for (unsigned i = 0; i < REPORTS_BEYOND_MAX; i++) {
        verdict = refuse(DIRECTION_C2S, false);
        assert_true(verdict.pause_ms > before_ms && !verdict.cut);
        before_ms = verdict.pause_ms;
    }
    assert_true(refuse(DIRECTION_C2S, false).cut);
    hear();
    assert_int_equal(world.told, limit);
    assert_int_equal(world.counted, 0);
    reports_ended(&world.worker, 0, SESSION);
    hear();
    assert_int_equal(world.counted, REPORTS_BEYOND_MAX + 1);
    assert_int_equal(quotas_counts(world.worker.quotas, 0)->refused[QUOTA_REPORTS],
                     REPORTS_BEYOND_MAX + 1);
}

/* What a service says, and what is only observed, is not held against the client. */
REPORTS_TEST(test_whose_fault)
{
    for (unsigned i = 0; i < 1000; i++) {
        struct report_verdict verdict =
            i % 2 == 0 ? refuse(DIRECTION_S2C, false) : refuse(DIRECTION_C2S, true);

        assert_true(verdict.pause_ms == 0 && !verdict.cut);
    }
    reports_settle(&world.worker, true);
    hear();
    assert_int_equal(world.told + world.counted, 1000);
}

/* A broker that takes nothing: what it is told later adds up, and the end of a grant finds room. */
REPORTS_TEST(test_a_slow_broker)
{
    const struct ipc_closed closed = {.reason = REASON_CLIENT_CLOSED};
    const struct ipc_denied denied = {.reason = REASON_MALFORMED};
    unsigned ends = 0, refused = 0;

    while (channel_waiting_bytes(world.worker.channel) <= REPORTS_WAITING_BYTES_MAX) {
        assert_true(worker_tell(&world.worker, IPC_CLOSED, &closed));
        ends++;
    }
    for (; refused < 50; refused++)
        (void)refuse(DIRECTION_C2S, true);
    assert_true(worker_tell(&world.worker, IPC_DENIED, &denied)); /* it may name a token */
    while (channel_waiting_bytes(world.worker.channel) <= QUESTIONS_WAITING_BYTES_MAX)
        assert_true(worker_tell(&world.worker, IPC_CLOSED, &closed));
    assert_false(worker_tell(&world.worker, IPC_DENIED, &denied));
    assert_true(worker_tell(&world.worker, IPC_CLOSED, &closed));
    assert_false(world.worker.failed);
    assert_int_equal(quotas_counts(world.worker.quotas, 0)->refused[QUOTA_REPORTS], refused);
    assert_true(ends > 0);
}
