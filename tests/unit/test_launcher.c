/* launcher.c, tree.c: trees from their parent's side. The services are shells. */
#include "launch/keeper/spawner.h"
#include "launch/launcher.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY        20
#define DEADLINE_MS 30000

static char shell[] = "/bin/sh", option[] = "-c";
static char path[] = "PATH=/usr/bin:/bin";
static char *environment[] = {path, NULL}, *nothing_hidden[] = {NULL};

static uv_loop_t loop;
static struct launcher *launcher;
static int spawner = -1;
static uv_timer_t deadline;

/* What was told of one tree. */
struct told {
    struct tree *tree;
    unsigned started, ended;
    int status;
    char why[WHY_SIZE];
    int socket, error, dialed;
};
static struct told told[MANY];
static unsigned ends_wanted;

static void on_started(void *data, const struct proof *proof, pid_t pid)
{
    assert_true(pid > 1);
    if (proof->status >= 0)
        close(proof->status);
    ((struct told *)data)->started++;
}

static void on_ended(void *data, int status, const char *why)
{
    struct told *one = data;

    one->ended++;
    one->status = status;
    one->tree = NULL;
    snprintf(one->why, sizeof(one->why), "%s", why);
    if (--ends_wanted == 0)
        uv_stop(&loop);
}

static void on_dialed(void *data, int socket, int error)
{
    struct told *one = data;

    one->dialed++;
    one->socket = socket;
    one->error = error;
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("it took too long");
}

/* The spawner is forked while there is one thread, and never again. */
static int set_up(void **state)
{
    (void)state;
    return spawner_start(&spawner, NULL) == OK ? 0 : -1;
}

int (*unit_set_up)(void **state) = set_up;

static int open_launcher(void **state)
{
    (void)state;
    memset(told, 0, sizeof(told));
    uv_loop_init(&loop);
    uv_timer_init(&loop, &deadline);
    uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    return launcher_create(&loop, dup(spawner), &launcher) == OK ? 0 : -1;
}

static int close_launcher(void **state)
{
    (void)state;
    launcher_destroy(launcher);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static struct tree_options options_of(char *script, struct told *one)
{
    static char *arguments[4];

    arguments[0] = shell;
    arguments[1] = option;
    arguments[2] = script;
    return (struct tree_options){.command = {.arguments = arguments,
                                             .environment = environment,
                                             .hidden = nothing_hidden,
                                             .directory = "/"},
                                 .standard = {-1, -1, -1},
                                 .events = {.started = on_started, .ended = on_ended},
                                 .data = one};
}

static void start(char *script, struct told *one)
{
    struct tree_options options = options_of(script, one);

    assert_int_equal(launcher_start(launcher, &options, &one->tree), OK);
}

static void run_until_ended(unsigned count)
{
    ends_wanted = count;
    uv_run(&loop, UV_RUN_DEFAULT);
}

TEST_BETWEEN(test_status, open_launcher, close_launcher)
{
    char seven[] = "exit 7", killed[] = "kill -TERM $$";

    start(seven, &told[0]);
    start(killed, &told[1]);
    run_until_ended(2);
    assert_int_equal(told[0].started, 1);
    assert_int_equal(WEXITSTATUS(told[0].status), 7);
    assert_int_equal(WTERMSIG(told[1].status), SIGTERM);
    assert_string_equal(told[0].why, "");
}

TEST_BETWEEN(test_a_program_that_is_not_there, open_launcher, close_launcher)
{
    char unused[] = "", nowhere[] = "/nowhere", *arguments[] = {nowhere, NULL};
    struct tree_options options = options_of(unused, &told[0]);

    options.command.arguments = arguments;
    assert_int_equal(launcher_start(launcher, &options, &told[0].tree), OK);
    run_until_ended(1);
    assert_int_equal(told[0].started, 0);
    assert_string_equal(told[0].why, "executing the service: No such file or directory");
}

TEST_BETWEEN(test_many_are_killed_at_once, open_launcher, close_launcher)
{
    char forever[] = "trap '' TERM; sleep 1000 & sleep 1000";

    for (size_t i = 0; i < MANY; i++)
        start(forever, &told[i]);
    /* Some of them are made by now, others are not. */
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < MANY; i++)
        tree_kill(told[i].tree);
    run_until_ended(MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(told[i].ended, 1);
}

TEST_BETWEEN(test_dials_end_with_their_tree, open_launcher, close_launcher)
{
    char forever[] = "sleep 1000";

    start(forever, &told[0]);
    while (told[0].started == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(tree_dial(told[0].tree, 1, on_dialed, &told[0]), OK);
    while (told[0].dialed == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(told[0].error, ECONNREFUSED);
    assert_int_equal(told[0].socket, -1);
    assert_int_equal(tree_dial(told[0].tree, 1, on_dialed, &told[0]), OK);
    tree_kill(told[0].tree);
    assert_int_equal(tree_dial(told[0].tree, 1, on_dialed, &told[0]), ERROR_STATE);
    run_until_ended(1);
    assert_int_equal(told[0].dialed, 2);
    assert_int_equal(told[0].error, ECONNRESET);
}

TEST_BETWEEN(test_more_dials_than_its_limit, open_launcher, close_launcher)
{
    char forever[] = "sleep 1000";
    enum error error = OK;
    unsigned count = 0;

    start(forever, &told[0]);
    for (; error == OK; count++)
        error = tree_dial(told[0].tree, 1, on_dialed, &told[0]);
    assert_true(error == ERROR_LIMIT || error == ERROR_STATE);
    tree_kill(told[0].tree);
    run_until_ended(1);
    assert_int_equal(told[0].dialed, count - 1);
}

TEST_BETWEEN(test_signals, open_launcher, close_launcher)
{
    char waits[] = "trap 'exit 9' USR1; while :; do sleep 0.01; done";

    start(waits, &told[0]);
    while (told[0].started == 0)
        uv_run(&loop, UV_RUN_ONCE);
    usleep(200000); /* until the trap is set: before, the signal ends it as well */
    assert_int_equal(tree_signal(told[0].tree, SIGUSR1), OK);
    run_until_ended(1);
    assert_true(WIFEXITED(told[0].status) && WEXITSTATUS(told[0].status) == 9);
}

/* Destroyed with trees in it: close_launcher() finds that nothing is left in the loop. */
TEST_BETWEEN(test_forgotten_with_everything, open_launcher, close_launcher)
{
    char forever[] = "sleep 1000";

    start(forever, &told[0]);
    while (told[0].started == 0)
        uv_run(&loop, UV_RUN_ONCE);
    start(forever, &told[1]);
    assert_int_equal(tree_dial(told[0].tree, 1, on_dialed, &told[0]), OK);
}

/* The last test: without its spawner a launcher starts nothing, and says so. */
TEST_BETWEEN(test_without_a_spawner, open_launcher, close_launcher)
{
    char forever[] = "sleep 1000";
    struct tree_options options = options_of(forever, &told[1]);

    start(forever, &told[0]);
    while (told[0].started == 0)
        uv_run(&loop, UV_RUN_ONCE);
    shutdown(spawner, SHUT_RDWR);
    run_until_ended(1);
    assert_int_equal(WTERMSIG(told[0].status), SIGKILL);
    assert_int_equal(launcher_start(launcher, &options, &told[1].tree), ERROR_NOT_FOUND);
}
