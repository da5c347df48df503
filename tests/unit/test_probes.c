/* Who is let in at the telemetry page, and who gives way (worker/probes/probes.h). */
#include "unit.h"

#include "worker/probes/probes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE       400 /* that only connect */
#define SCRAPERS   40
#define TEXT_BYTES (1024 * 1024) /* more than a socket takes at once */

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char metrics[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

static struct worker *worker;
static struct probes probes;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct config config;

/* No broker is here; what it says is told to the probes themselves. */
bool worker_tell(struct worker *of, enum ipc_type type, const void *message)
{
    (void)message;
    return of == worker && type == IPC_SCRAPE;
}

static void turn(void)
{
    for (int i = 0; i < 200; i++)
        uv_run(&worker->loop, UV_RUN_NOWAIT);
}

static int come(const char *request)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (request != NULL)
        assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static bool has_answer(int fd, const char *status)
{
    char text[64] = "";

    return recv(fd, text, sizeof(text) - 1, 0) > 0 && strstr(text, status) != NULL;
}

static bool is_over(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 0;
}

/* The broker's word, from which on it is fresh. */
static void tell(void)
{
    struct ipc_scraped scraped = {.bytes = TEXT_BYTES};
    int asks = come(health), fd = memfd_create("text", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, TEXT_BYTES), 0);
    turn();
    assert_true(probes.asked);
    assert_true(probes_take(&probes, &scraped, fd));
    assert_true(has_answer(asks, "200 OK"));
    close(asks);
    turn();
}

static int set_up(void **state)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)state;
    snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "sidelock-probes-%d", getpid());
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL || fd < 0 || uv_loop_init(&worker->loop) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1024) != 0)
        return -1;
    worker->config = &config;
    probes_init(&probes, worker);
    return probes_add(&probes, fd) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    probes_stop(&probes);
    turn();
    uv_loop_close(&worker->loop);
    probes_release(&probes);
    free(worker);
    return 0;
}

static size_t connected(void)
{
    size_t count = 0;

    for (const struct probe *probe = probes.first; probe != NULL; probe = probe->next)
        count += probe->state != PROBE_OVER;
    return count;
}

TEST_BETWEEN(test_who_asks_does_not_wait_behind_those_who_connect, set_up, tear_down)
{
    int idle[IDLE], asks;

    tell();
    for (int i = 0; i < IDLE; i++)
        idle[i] = come(NULL);
    asks = come(health);
    turn(); /* within one round */
    assert_true(has_answer(asks, "200 OK"));
    assert_in_range(connected(), 1, PROBES_PER_PEER_MAX);
    assert_true(is_over(idle[0]));
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    close(asks);
}

TEST_BETWEEN(test_readers_that_take_nothing_hold_no_place, set_up, tear_down)
{
    int readers[SCRAPERS], asks;
    unsigned answered = 0;

    tell();
    for (int i = 0; i < SCRAPERS; i++) {
        readers[i] = come(metrics);
        turn();
        probes_tick(&probes);
    }
    assert_in_range(connected(), 1, PROBES_SCRAPES_PER_PEER_MAX);
    asks = come(health);
    turn();
    assert_true(has_answer(asks, "200 OK"));
    for (int i = 0; i < SCRAPERS; i++) {
        answered += has_answer(readers[i], "200 OK");
        close(readers[i]);
    }
    assert_int_equal(answered, SCRAPERS);
    close(asks);
}

/* Beyond what a round has of them it is said, and a probe is answered all the same. */
TEST_BETWEEN(test_metrics_are_told_so_many_a_round, set_up, tear_down)
{
    int readers[SCRAPERS], asks;
    unsigned refused = 0;

    tell();
    probes_tick(&probes);
    for (int i = 0; i < SCRAPERS; i++)
        readers[i] = come(metrics);
    asks = come(health);
    turn();
    assert_true(has_answer(asks, "200 OK"));
    for (int i = 0; i < SCRAPERS; i++) {
        refused += has_answer(readers[i], "503 ");
        close(readers[i]);
    }
    assert_int_equal(refused, SCRAPERS - PROBES_SCRAPES_PER_ROUND_MAX);
    assert_int_equal(probes.strays, 0);
    close(asks);
}

/* Whoever waits for the broker gives way to nobody; the others come when it has answered. */
TEST_BETWEEN(test_who_waits_stays, set_up, tear_down)
{
    int waiting[PROBES_MAX + 1];
    struct ipc_scraped scraped = {.bytes = 0};

    for (int i = 0; i <= PROBES_MAX; i++)
        waiting[i] = come(health);
    turn();
    assert_int_equal(connected(), PROBES_MAX);
    assert_true(probes_take(&probes, &scraped, -1));
    turn();
    for (int i = 0; i <= PROBES_MAX; i++) {
        assert_true(has_answer(waiting[i], "200 OK"));
        close(waiting[i]);
    }
}
