/* launch/supervise/dialling.c: whoever takes no connection holds nobody up. */
#include "launch/supervise/dialling.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAITING_MAX 16
#define LONG_MS     100000 /* longer than a test may take */

static uv_loop_t loop;
static struct diallings diallings;

struct told {
    unsigned times;
    int fd, error;
};

static void on_done(void *data, int fd, int error)
{
    struct told *told = data;

    *told = (struct told){told->times + 1, fd, error};
}

static int connect_to(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EINPROGRESS);
    return fd;
}

/* A listener at which as many wait as may. */
struct full {
    struct sockaddr_in at;
    int listener, waiting[WAITING_MAX];
};

static void fill(struct full *full)
{
    socklen_t length = sizeof(full->at);

    full->at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    full->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(full->listener, (struct sockaddr *)&full->at, length), 0);
    assert_int_equal(listen(full->listener, 0), 0);
    assert_int_equal(getsockname(full->listener, (struct sockaddr *)&full->at, &length), 0);
    for (size_t i = 0; i < WAITING_MAX; i++)
        full->waiting[i] = connect_to(&full->at);
    uv_loop_init(&loop);
    diallings = (struct diallings){.loop = &loop};
}

static void empty(const struct full *full)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_null(diallings.first);
    for (size_t i = 0; i < WAITING_MAX; i++)
        close(full->waiting[i]);
    close(full->listener);
}

TEST(test_a_connection_that_is_not_taken_in_time)
{
    struct full full;
    struct told told = {0};
    int fd;

    fill(&full);
    fd = connect_to(&full.at);
    dialling_finish(&(struct dialling_order){&diallings, on_done, &told, 20}, fd);
    empty(&full);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.fd, -1);
    assert_int_equal(told.error, EAGAIN);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

TEST(test_all_are_ended)
{
    struct full full;
    struct told told[3] = {{0}};

    fill(&full);
    for (size_t i = 0; i < 3; i++)
        dialling_finish(&(struct dialling_order){&diallings, on_done, &told[i], LONG_MS},
                        connect_to(&full.at));
    uv_run(&loop, UV_RUN_NOWAIT);
    dialling_end_all(&diallings);
    empty(&full);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(told[i].times, 1);
        assert_int_equal(told[i].error, ECONNRESET);
    }
}

TEST(test_a_connection)
{
    struct full full;
    struct told told = {0};

    fill(&full);
    assert_int_equal(listen(full.listener, 2 * WAITING_MAX), 0);
    dialling_finish(&(struct dialling_order){&diallings, on_done, &told, LONG_MS},
                    connect_to(&full.at));
    empty(&full);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.error, 0);
    assert_true(told.fd >= 0);
    close(told.fd);
}
