/*
 * core/groups.c: a user's groups are looked up off the loop, once for all who ask, remembered for
 * a while, and waited for no longer than is bearable. The group database here is made up, and so is
 * the time that passes.
 */
#include "broker/core/groups.h"

#include "broker/core/lanes.h"
#include "unit.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY  (3 * GROUPS_TOLD_PER_TURN + 1)
#define FIRST 1000 /* a user, whose one group is as he */

static atomic_uint looked; /* how often the database was asked */
static atomic_int answer;  /* an enum error: what it says */
static atomic_bool held;
static int gate[2]; /* a pipe: while it is held, a byte lets it answer once */
static uint64_t now;
static struct groups *left; /* so that it does not count as lost */

/* In the place of libuv's. */
uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return now;
}

static enum error source(uint32_t uid, struct user_groups *out)
{
    char byte;

    if (held && read(gate[0], &byte, 1) != 1)
        return ERROR_IO;
    looked++;
    if (answer != OK)
        return (enum error)answer;
    out->gids = malloc(sizeof(*out->gids));
    if (out->gids == NULL)
        return ERROR_MEMORY;
    out->gids[0] = uid;
    out->count = 1;
    return OK;
}

struct fixture {
    uv_loop_t loop;
    uv_poll_t poll;
    struct groups *groups;
};

struct asker {
    struct groups_wait wait;
    struct fixture *fixture;
    uint32_t uid;
    unsigned told;
    enum error error;
};

static void on_known(struct groups_wait *wait)
{
    struct asker *asker = wait->context;
    const struct user_groups *found = NULL;

    asker->told++;
    asker->error = groups_find(asker->fixture->groups, asker->uid, NULL, &found);
    if (asker->error == OK) {
        assert_int_equal(found->count, 1);
        assert_int_equal(found->gids[0], asker->uid);
    }
}

static enum error ask(struct fixture *fixture, struct asker *asker, uint32_t uid)
{
    const struct user_groups *found = NULL;

    *asker = (struct asker){
        .wait = {.known = on_known, .context = asker}, .fixture = fixture, .uid = uid};
    return groups_find(fixture->groups, uid, &asker->wait, &found);
}

static void go_on_until_told(struct fixture *fixture, const struct asker *asker)
{
    while (asker->told == 0)
        uv_run(&fixture->loop, UV_RUN_ONCE);
}

static void let_answer(size_t count)
{
    while (count-- > 0)
        assert_int_equal(write(gate[1], "!", 1), 1);
}

static int make(void **state)
{
    static struct fixture one;
    struct fixture *fixture = &one;

    one = (struct fixture){.groups = NULL};
    if (pipe(gate) != 0 || uv_loop_init(&fixture->loop) != 0)
        return -1;
    looked = 0;
    answer = OK;
    held = false;
    now = 1;
    *state = fixture;
    return groups_create(&fixture->loop, source, &fixture->groups) == OK &&
                   lanes_watch(&fixture->loop, &fixture->poll, groups_lane(fixture->groups)) == OK
               ? 0
               : -1;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    uv_close(handle, NULL);
}

static int drop(void **state)
{
    struct fixture *fixture = *state;

    uv_walk(&fixture->loop, close_handle, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    uv_loop_close(&fixture->loop);
    groups_destroy(fixture->groups);
    close(gate[0]);
    close(gate[1]);
    return 0;
}

#define GROUPS_TEST(test) TEST_BETWEEN(test, make, drop)

GROUPS_TEST(test_once_for_all_who_ask)
{
    struct fixture *fixture = *state;
    struct asker askers[MANY] = {0};

    held = true;
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(ask(fixture, &askers[i], FIRST), ERROR_STATE);
    let_answer(1);
    for (size_t i = 0; i < MANY; i++) {
        go_on_until_told(fixture, &askers[i]);
        assert_int_equal(askers[i].error, OK);
        assert_int_equal(askers[i].told, 1);
    }
    assert_int_equal(looked, 1);
}

GROUPS_TEST(test_is_remembered_for_a_while)
{
    struct fixture *fixture = *state;
    struct asker asker = {0};

    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &asker);
    now += GROUPS_AGE_MS - 1;
    assert_int_equal(ask(fixture, &asker, FIRST), OK);
    now += 1;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &asker);
    assert_int_equal(asker.error, OK);
    assert_int_equal(looked, 2);
}

GROUPS_TEST(test_failure_is_no_empty_list)
{
    struct fixture *fixture = *state;
    struct asker asker = {0};

    answer = ERROR_IO;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &asker);
    assert_int_equal(asker.error, ERROR_IO);
    answer = OK;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_IO);
    now += GROUPS_FAILED_AGE_MS;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &asker);
    assert_int_equal(asker.error, OK);
}

/* Whoever is told that it failed asks again in that very call, and is not made to wait anew. */
GROUPS_TEST(test_failure_counts_from_when_it_is_known)
{
    struct fixture *fixture = *state;
    struct asker asker = {0}, later = {0};

    answer = ERROR_IO;
    held = true;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    now += GROUPS_FAILED_AGE_MS + 1;
    held = false;
    let_answer(1);
    go_on_until_told(fixture, &asker);
    assert_int_equal(asker.error, ERROR_IO);
    assert_int_equal(asker.told, 1);
    now += GROUPS_FAILED_AGE_MS - 1;
    assert_int_equal(ask(fixture, &later, FIRST), ERROR_IO);
    now += 1;
    assert_int_equal(ask(fixture, &later, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &later);
    assert_int_equal(looked, 2);
}

GROUPS_TEST(test_nobody_waits_for_good)
{
    struct fixture *fixture = *state;
    struct asker first = {0}, second = {0};

    held = true;
    assert_int_equal(ask(fixture, &first, FIRST), ERROR_STATE);
    go_on_until_told(fixture, &first);
    assert_int_equal(first.error, ERROR_IO);
    /* It is still being looked up: whoever comes now does not wait for it. */
    assert_int_equal(ask(fixture, &second, FIRST), ERROR_IO);
    let_answer(1);
    while (ask(fixture, &second, FIRST) != OK)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_int_equal(first.told, 1);
    assert_int_equal(second.told, 0);
    assert_int_equal(looked, 1);
}

GROUPS_TEST(test_bound)
{
    struct fixture *fixture = *state;
    static struct asker askers[GROUPS_KNOWN_MAX];
    struct asker another = {0};

    held = true;
    for (uint32_t i = 0; i < GROUPS_KNOWN_MAX; i++)
        assert_int_equal(ask(fixture, &askers[i], FIRST + i), ERROR_STATE);
    assert_int_equal(ask(fixture, &another, FIRST + GROUPS_KNOWN_MAX), ERROR_LIMIT);
    let_answer(GROUPS_KNOWN_MAX);
    for (size_t i = 0; i < GROUPS_KNOWN_MAX; i++)
        go_on_until_told(fixture, &askers[i]);
    /* The one who has not called for the longest makes room. */
    held = false;
    assert_int_equal(ask(fixture, &another, FIRST), OK);
    assert_int_equal(ask(fixture, &another, FIRST + GROUPS_KNOWN_MAX), ERROR_STATE);
    go_on_until_told(fixture, &another);
    assert_int_equal(ask(fixture, &another, FIRST), OK);
    assert_int_equal(ask(fixture, &another, FIRST + 1), ERROR_STATE);
    go_on_until_told(fixture, &another);
}

GROUPS_TEST(test_whoever_has_left_is_not_told)
{
    struct fixture *fixture = *state;
    struct asker gone = {0}, stays = {0};

    held = true;
    assert_int_equal(ask(fixture, &gone, FIRST), ERROR_STATE);
    assert_int_equal(ask(fixture, &stays, FIRST), ERROR_STATE);
    groups_forget(&gone.wait);
    groups_forget(&gone.wait);
    let_answer(1);
    go_on_until_told(fixture, &stays);
    assert_int_equal(gone.told, 0);
}

/* What hangs is left behind: its thread goes on only after that, when the pipe is closed. */
GROUPS_TEST(test_end_does_not_wait)
{
    struct fixture *fixture = *state;
    struct asker asker = {0};

    held = true;
    assert_int_equal(ask(fixture, &asker, FIRST), ERROR_STATE);
    groups_forget(&asker.wait);
    left = fixture->groups;
}

TEST(test_database)
{
    struct user_groups found = {NULL, 0};

    assert_int_equal(user_groups_find(0, &found), OK);
    assert_true(found.count > 0);
    assert_int_equal(found.gids[0], 0);
    user_groups_clear(&found);
    assert_int_equal(user_groups_find(UINT32_MAX - 7, &found), OK); /* nobody's */
    assert_non_null(found.gids);
    assert_int_equal(found.count, 0);
    user_groups_clear(&found);
}
