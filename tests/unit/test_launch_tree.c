/* tree.c: what is told of a tree, whoever of spawner and keeper speaks first. */
#include "launch/tree.h"

#include "launch/common/passing.h"
#include "launch/keeper/keeper.h"
#include "unit.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct told {
    struct tree *tree;
    pid_t pid; /* when it had started; 0: it has not */
    bool ended;
};

static void on_started(void *data, const struct proof *proof, pid_t pid)
{
    struct told *told = data;

    (void)pid;
    assert_int_equal(proof->status, -1);
    told->pid = tree_pid(told->tree);
}

static void on_ended(void *data, int status, const char *why)
{
    struct told *told = data;

    (void)status;
    (void)why;
    told->ended = true;
}

static pid_t start_child(void)
{
    pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

/* The keeper's word may arrive before the spawner's. */
TEST(test_a_tree_that_has_started_has_a_number)
{
    const struct keeper_word started = {.type = KEEPER_STARTED, .value = 1};
    struct told told = {.pid = 0};
    struct tree_options options = {.events = {.started = on_started, .ended = on_ended},
                                   .data = &told};
    struct trees trees = {0};
    uv_loop_t loop;
    int pair[2];
    pid_t child = start_child();

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(trees_add(&trees, &loop, &options, 7, pair[0], &told.tree), OK);
    assert_int_equal(send(pair[1], &started, sizeof(started), 0), sizeof(started));
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(told.pid, 0);
    trees_made(&trees, 7, (int[]){(int)syscall(SYS_pidfd_open, child, 0), -1}, 0);
    while (told.pid == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(told.pid, child);
    kill(child, SIGKILL);
    while (!told.ended)
        uv_run(&loop, UV_RUN_ONCE);
    waitpid(child, NULL, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(pair[1]);
}

struct starts {
    unsigned count;
    bool ended;
};

static void on_start(void *data, const struct proof *proof, pid_t pid)
{
    struct starts *starts = data;

    assert_true(pid > 0);
    assert_true(proof->status >= 0);
    close(proof->status);
    starts->count++;
}

static void on_end(void *data, int status, const char *why)
{
    struct starts *starts = data;

    (void)status;
    (void)why;
    starts->ended = true;
}

/* A keeper that says so often, with a descriptor each time, that its service runs as `pid`: how
 * often that is told until its tree is killed. */
static unsigned count_starts(pid_t pid, unsigned times)
{
    const struct keeper_word word = {.type = KEEPER_STARTED, .value = pid};
    struct starts starts = {.count = 0};
    struct tree_options options = {.events = {.started = on_start, .ended = on_end},
                                   .data = &starts};
    struct trees trees = {0};
    struct tree *tree = NULL;
    uv_loop_t loop;
    int pair[2] = {0}, status = 0;
    pid_t child = start_child();

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(passing_pair(pair, 1), OK);
    assert_int_equal(trees_add(&trees, &loop, &options, 7, pair[0], &tree), OK);
    for (unsigned i = 0; i < times; i++)
        assert_int_equal(passing_send(pair[1], &word, sizeof(word), &pair[1], 1), OK);
    trees_made(&trees, 7, (int[]){(int)syscall(SYS_pidfd_open, child, 0), -1}, 0);
    while (!starts.ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(pair[1]);
    return starts.count;
}

TEST(test_a_tree_starts_once_and_as_a_process)
{
    int before = dup(STDERR_FILENO), after;

    close(before);
    assert_int_equal(count_starts(2, 3), 1);
    assert_int_equal(count_starts(0, 1), 0);
    assert_int_equal(count_starts(-2, 1), 0);
    after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(before, after);
}
