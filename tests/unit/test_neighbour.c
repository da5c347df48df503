/* launch/supervise/neighbour.c: what is said of a service that listens by itself, and when. */
#include "launch/supervise/neighbour.h"

#include "config/load.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_SIZE 512

static struct {
    uv_loop_t loop;
    struct diallings diallings;
    struct config_bundle bundle;
    struct neighbours all;
    unsigned changes;
    int dial_error;
    int dialed; /* -2: nobody has called yet */
    enum service_state last;
    char why[WHY_SIZE];
} world;

static void on_changed(void *context, struct neighbour *neighbour)
{
    (void)context;
    world.changes++;
    world.last = neighbour->state;
    snprintf(world.why, sizeof(world.why), "%s", neighbour->why);
}

static void on_proven(void *context, struct neighbour *neighbour)
{
    (void)context;
    (void)neighbour;
}

static struct config *load(const char *upstream)
{
    static struct json_faults faults;
    char text[TEXT_SIZE];
    struct config *config = NULL;

    snprintf(text, sizeof(text),
             "{\"state_dir\": \"/nowhere\", \"surfaces\": {\"one\": {\"listen\": "
             "[\"localhost:1\"], \"upstream\": {%s}, \"dialect\": \"mcp\"}}}",
             upstream);
    if (config_load(text, strlen(text), NULL, 0, getuid(), &config, &faults) != OK)
        fail();
    return config;
}

static struct config *load_tcp(uint16_t port)
{
    char upstream[64];

    snprintf(upstream, sizeof(upstream), "\"tcp\": \"127.0.0.1:%u\"", port);
    return load(upstream);
}

static void prepare(struct config *config)
{
    memset(&world, 0, sizeof(world));
    world.dialed = -2;
    uv_loop_init(&world.loop);
    world.diallings.loop = &world.loop;
    world.bundle.config = config;
    world.all = (struct neighbours){.diallings = &world.diallings,
                                    .bundle = &world.bundle,
                                    .changed = on_changed,
                                    .proven = on_proven};
}

static struct neighbour *begin(struct config *config)
{
    struct neighbour *neighbour = NULL;

    prepare(config);
    assert_int_equal(neighbour_begin(&world.all, 0, "one", &neighbour), OK);
    return neighbour;
}

static void until_change(void)
{
    unsigned before = world.changes;

    while (world.changes == before)
        uv_run(&world.loop, UV_RUN_ONCE);
}

static void end(struct neighbour *neighbour)
{
    neighbour_drop(neighbour);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    caller_lookup_destroy(world.all.lookup);
    config_destroy(world.bundle.config);
}

/* A listener on loopback alone. */
static int listen_at(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    at.sin_port = htons(*port);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* Of a reload the launcher hears before the broker has ended what is no more. */
TEST(test_its_name_is_another_kinds)
{
    uint16_t port = 0;
    int fd = listen_at(&port);
    struct neighbour *neighbour = begin(load_tcp(port));

    config_destroy(world.bundle.config);
    world.bundle.config = load("\"socket\": \"/run/one/service.sock\"");
    until_change();
    assert_true(world.last == SERVICE_READY || world.last == SERVICE_EXPOSED);
    end(neighbour);
    close(fd);
}

static void on_dialed(void *data, int fd, int error)
{
    (void)data;
    world.dialed = fd;
    world.dial_error = error;
    if (fd >= 0)
        close(fd);
}

/* What was found of one who listened says nothing of the next. */
TEST(test_who_was_not_looked_at)
{
    uint16_t port = 0;
    int fd = listen_at(&port);
    struct neighbour *neighbour = begin(load_tcp(port));

    until_change();
    assert_int_equal(world.last, SERVICE_READY);
    assert_string_equal(world.why, "");
    assert_true(neighbour->listens);
    close(fd);
    fd = listen_at(&port);
    neighbour_dial(neighbour, on_dialed, NULL);
    assert_int_equal(world.dialed, -1);
    assert_int_equal(world.dial_error, ECONNREFUSED);
    assert_int_equal(world.last, SERVICE_STARTING);
    until_change();
    assert_int_equal(world.last, SERVICE_READY);
    neighbour_dial(neighbour, on_dialed, NULL);
    while (world.dialed < 0)
        uv_run(&world.loop, UV_RUN_ONCE);
    end(neighbour);
    close(fd);
}

TEST(test_nobody_listens)
{
    uint16_t port = 0;
    int fd = listen_at(&port);
    struct neighbour *neighbour = begin(load_tcp(port));
    char expected[64];

    close(fd);
    until_change();
    snprintf(expected, sizeof(expected), "Nobody listens at 127.0.0.1:%u.", port);
    assert_int_equal(world.last, SERVICE_READY);
    assert_string_equal(world.why, expected);
    assert_false(neighbour->listens);
    end(neighbour);
}

/* It has no descriptor to ask with, and goes on: the launcher has other services. */
TEST(test_it_cannot_be_asked)
{
    struct neighbour *neighbour = NULL;
    struct rlimit before, none;
    enum error error;
    uint16_t port = 0;
    int fd = listen_at(&port);

    prepare(load_tcp(port));
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){3, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    error = neighbour_begin(&world.all, 0, "one", &neighbour);
    assert_int_equal(error, OK);
    until_change();
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(world.last == SERVICE_EXPOSED || world.why[0] != '\0');
    until_change();
    assert_string_equal(world.why, "");
    end(neighbour);
    close(fd);
}
