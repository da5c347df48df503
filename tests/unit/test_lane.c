/* base/lane.c: the order of jobs, who calls what on which thread, and the end. */
#include "base/lane.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define JOBS 200

/* What jobs write down, each on its own side. */
struct record {
    struct lane *lane;
    unsigned worked[JOBS + 1], done[JOBS + 1];
    size_t worked_count, done_count;
    pthread_t owner;
    bool faulty; /* noted on the lane's thread, where nothing can be asserted */
    int gate[2]; /* a pipe: a job that waits reads from it */
};

struct numbered {
    struct lane_job job; /* first */
    struct record *record;
    unsigned number;
};

static int make(void **state)
{
    struct record *record = calloc(1, sizeof(*record));

    if (record == NULL || pipe(record->gate) != 0)
        return -1;
    record->owner = pthread_self();
    *state = record;
    return lane_create("test", &record->lane) == OK ? 0 : -1;
}

static int drop(void **state)
{
    struct record *record = *state;
    bool faulty;

    lane_destroy(record->lane);
    faulty = record->faulty;
    close(record->gate[0]);
    close(record->gate[1]);
    free(record);
    return faulty ? -1 : 0;
}

#define LANE_TEST(test) TEST_BETWEEN(test, make, drop)

static void work(struct lane_job *job)
{
    struct numbered *numbered = (struct numbered *)job;

    if (pthread_equal(pthread_self(), numbered->record->owner))
        numbered->record->faulty = true;
    numbered->record->worked[numbered->record->worked_count++] = numbered->number;
}

static void done(struct lane_job *job)
{
    struct numbered *numbered = (struct numbered *)job;

    assert_true(pthread_equal(pthread_self(), numbered->record->owner));
    numbered->record->done[numbered->record->done_count++] = numbered->number;
    free(numbered);
}

static void give_with(struct record *record, unsigned number, struct lane_job job)
{
    struct numbered *numbered = calloc(1, sizeof(*numbered));

    assert_non_null(numbered);
    *numbered = (struct numbered){job, record, number};
    lane_give(record->lane, &numbered->job);
}

static void give(struct record *record, unsigned number, void (*what)(struct lane_job *job))
{
    give_with(record, number, (struct lane_job){.work = what, .done = done});
}

LANE_TEST(test_order_is_kept)
{
    struct record *record = *state;

    for (unsigned i = 0; i < JOBS; i++)
        give(record, i, work);
    lane_finish(record->lane);
    assert_int_equal(record->worked_count, JOBS);
    assert_int_equal(record->done_count, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(record->worked[i], i);
        assert_int_equal(record->done[i], i);
    }
}

static void wait_for_gate(struct lane_job *job)
{
    struct record *record = ((struct numbered *)job)->record;
    char byte;

    if (read(record->gate[0], &byte, 1) != 1)
        record->faulty = true;
    work(job);
}

static bool readable(const struct record *record, int patience_ms)
{
    struct pollfd ready = {.fd = lane_fd(record->lane), .events = POLLIN};

    return poll(&ready, 1, patience_ms) > 0;
}

/* The owner goes on while a job takes its time, and hears of nothing before. */
LANE_TEST(test_owner_does_not_wait)
{
    struct record *record = *state;

    give(record, 0, wait_for_gate);
    give(record, 1, work);
    assert_false(readable(record, 0));
    lane_reap(record->lane);
    assert_int_equal(record->done_count, 0);
    assert_int_equal(write(record->gate[1], "x", 1), 1);
    while (record->done_count < 2) {
        assert_true(readable(record, 10000));
        lane_reap(record->lane);
    }
    assert_int_equal(record->done[0], 0);
    lane_reap(record->lane);
    assert_false(readable(record, 0));
}

/* One turn calls a few, and the descriptor says that there are more. */
LANE_TEST(test_a_turn_is_bounded)
{
    struct record *record = *state;

    for (unsigned i = 0; i < 3 * LANE_TURN_JOBS; i++)
        give(record, i, i + 1 < 3 * LANE_TURN_JOBS ? work : wait_for_gate);
    assert_int_equal(write(record->gate[1], "x", 1), 1);
    while (record->done_count < 3 * LANE_TURN_JOBS) {
        size_t before = record->done_count;

        assert_true(readable(record, 10000));
        lane_reap(record->lane);
        assert_true(record->done_count - before <= LANE_TURN_JOBS);
    }
}

static void done_gives_another(struct lane_job *job)
{
    struct numbered *numbered = (struct numbered *)job;
    struct record *record = numbered->record;
    unsigned number = numbered->number;

    done(job);
    if (number + 1 < JOBS)
        give_with(record, number + 1, (struct lane_job){.work = work, .done = done_gives_another});
}

/* The end waits for what was given last, also from within. */
LANE_TEST(test_finish_takes_what_came_of_it)
{
    struct record *record = *state;

    give_with(record, 0, (struct lane_job){.work = work, .done = done_gives_another});
    lane_finish(record->lane);
    assert_int_equal(record->done_count, JOBS);
}

static void note_mask(struct lane_job *job)
{
    sigset_t mask;

    if (pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 || !sigismember(&mask, SIGTERM) ||
        !sigismember(&mask, SIGCHLD))
        ((struct numbered *)job)->record->faulty = true;
    work(job);
}

LANE_TEST(test_signals_are_the_owners)
{
    struct record *record = *state;
    sigset_t mask;

    give(record, 0, note_mask);
    lane_finish(record->lane);
    assert_int_equal(record->done_count, 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM));
}
