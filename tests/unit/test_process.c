/* process.c: when the broker is told what a worker has gathered for it. */
#include "worker/client/process.h"

#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A worker without clients, and the broker's end of its channel. */
static struct {
    struct worker worker;
    struct channel *broker;
} world;

static int set_up(void **state)
{
    int pair[2];

    (void)state;
    memset(&world, 0, sizeof(world));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
        channel_create(pair[0], &world.worker.channel) != OK ||
        channel_create(pair[1], &world.broker) != OK)
        return -1;
    return worker_allocate(&world.worker) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    worker_release(&world.worker);
    channel_destroy(world.broker);
    return 0;
}

#define PROCESS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static void end(enum reason reason)
{
    assert_true(worker_tell(&world.worker, IPC_CLOSED,
                            &(struct ipc_closed){.connection = 7, .reason = reason}));
}

/* How many messages the broker has heard since it listened last. */
static unsigned heard(void)
{
    const void *bytes;
    unsigned count = 0;
    size_t length;
    int fd;

    for (;; count++) {
        assert_int_equal(channel_receive(world.broker, &bytes, &length, &fd), OK);
        assert_int_equal(fd, -1);
        if (length == 0)
            return count;
    }
}

PROCESS_TEST(test_clients_that_went_wait)
{
    end(REASON_CLIENT_CLOSED);
    end(REASON_CLIENT_CLOSED);
    worker_flush(&world.worker);
    assert_int_equal(heard(), 0);
    world.worker.urgent = true; /* the round has come */
    worker_flush(&world.worker);
    assert_int_equal(heard(), 2);
    end(REASON_CLIENT_CLOSED);
    worker_flush(&world.worker);
    assert_int_equal(heard(), 0);
}

/* Whoever kills, revokes or reloads waits for the ends. */
PROCESS_TEST(test_whom_somebody_waits_for_do_not)
{
    static const enum reason reasons[] = {REASON_SURFACE_KILLED, REASON_SESSION_REVOKED,
                                          REASON_UPSTREAM_CLOSED, REASON_IDLE_TIMEOUT};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        end(REASON_CLIENT_CLOSED);
        end(reasons[i]);
        worker_flush(&world.worker);
        assert_int_equal(heard(), 2);
    }
}

/* A worker that ends tells all of it. */
PROCESS_TEST(test_at_the_end_none_waits)
{
    end(REASON_CLIENT_CLOSED);
    world.worker.draining = true;
    worker_flush(&world.worker);
    assert_int_equal(heard(), 1);
    world.worker.draining = false;
    end(REASON_CLIENT_CLOSED);
    world.worker.stopping = true;
    worker_flush(&world.worker);
    assert_int_equal(heard(), 1);
}

/* They go with a question, before it and in the same turn of the broker's. */
PROCESS_TEST(test_with_a_question)
{
    const struct ipc_dial dial = {.connection = 8,
                                  .request_id = "",
                                  .method = "GET",
                                  .path = "/",
                                  .query = "",
                                  .host = "localhost"};
    const void *bytes;
    size_t length;
    int fd;

    end(REASON_CLIENT_CLOSED);
    assert_true(worker_ask(&world.worker, IPC_DIAL, &dial, channel_fd(world.broker)));
    assert_int_equal(channel_receive(world.broker, &bytes, &length, &fd), OK);
    assert_int_equal(ipc_type_of(bytes, length), IPC_CLOSED);
    assert_true(fd == -1 && channel_has_more(world.broker));
    assert_int_equal(channel_receive(world.broker, &bytes, &length, &fd), OK);
    assert_int_equal(ipc_type_of(bytes, length), IPC_DIAL);
    assert_true(fd >= 0);
    close(fd);
}
