/* supervise/stdio.c: what the broker is told of a visit that brings nothing about. */
#include "launch/supervise/stdio.h"

#include "config/load.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SESSION "0123456789abcdef0123456789abcdef"

static const char text[] =
    "{\"state_dir\":\"/nowhere\",\"executables\":[\"/bin/cat\"],\"surfaces\":{"
    "\"one\":{\"listen\":[\"localhost:1\"],\"upstream\":{\"stdio\":true},"
    "\"dialect\":\"mcp\"}}}";

static struct {
    struct config_bundle bundle;
    struct lives lives;
    struct stdios stdios;
    uv_loop_t loop;
    unsigned said, gone;
    struct errand last;
} world;

static void on_said(void *context, const struct errand *errand)
{
    (void)context;
    assert_string_equal(errand->text, SESSION);
    world.said++;
    world.last = *errand;
}

static void on_gone(void *context, uint32_t slot)
{
    (void)context;
    (void)slot;
    world.gone++;
}

static void on_dialed(void *data, int fd, int error)
{
    assert_int_equal(fd, -1);
    *(int *)data = error;
}

/* Its session has no record, so nothing is started for it. */
TEST(test_a_visit_that_fails_leaves_nothing)
{
    static struct json_faults faults;
    const struct visitor visitor = {.session = SESSION, .record = -1, .number = 7};
    struct stdio *stdio = NULL;
    int error = 0;

    assert_int_equal(
        config_load(text, strlen(text), NULL, 0, getuid(), &world.bundle.config, &faults), OK);
    uv_loop_init(&world.loop);
    world.lives = (struct lives){.loop = &world.loop, .bundle = &world.bundle};
    world.stdios = (struct stdios){.lives = &world.lives, .say = on_said, .gone = on_gone};
    assert_int_equal(stdio_begin(&world.stdios, 3, "one", &stdio), OK);
    stdio_visit(stdio, &visitor, on_dialed, &error);
    assert_int_equal(error, ECONNRESET);
    assert_int_equal(world.said, 1);
    assert_int_equal(world.last.kind, ERRAND_LEFT);
    assert_int_equal(world.last.place, 3);
    assert_int_equal(world.last.number, 7);
    stdio_end(stdio, 0);
    assert_int_equal(world.gone, 1);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    config_destroy(world.bundle.config);
}
