/* recent.c: what is read again is what the database says, whatever was written meanwhile. */
#include "store_fixture.h"

#include "base/lane.h"
#include "store/recent.h"

#include <semaphore.h>

#define ID       "2222222222222222222222222222aaaa"
#define TOKEN    "3333333333333333333333333333aaaa"
#define TOKEN_ID "4444444444444444444444444444aaaa"

static const struct session plain = {.id = ID,
                                     .token_id = TOKEN,
                                     .surface = "studio",
                                     .params_digest = "-",
                                     .created_at = NOW,
                                     .expires_at = NOW + 900};

/* Keeps the lane of writes busy, so that what is given to it is not done yet. */
struct barrier {
    struct lane_job job; /* first */
    sem_t open;
};

static void wait_for_it(struct lane_job *job)
{
    sem_wait(&((struct barrier *)job)->open);
}

static void nothing(struct lane_job *job)
{
    (void)job;
}

static void close_barrier(struct fixture *fixture, struct barrier *barrier)
{
    barrier->job = (struct lane_job){.work = wait_for_it, .done = nothing};
    sem_init(&barrier->open, 0, 0);
    lane_give(store_writes(fixture->store), &barrier->job);
}

static struct session get(struct fixture *fixture)
{
    struct session found;

    assert_int_equal(store_session_get(fixture->store, ID, &found), OK);
    session_clear(&found);
    assert_int_equal(store_session_get(fixture->store, ID, &found), OK);
    assert_string_equal(found.id, ID);
    assert_string_equal(found.surface, "studio");
    return found;
}

STORE_TEST(test_a_renewal_is_read)
{
    struct fixture *fixture = *state;
    struct barrier barrier;

    assert_int_equal(KEPT(fixture->store, store_session_add, &plain), OK);
    assert_int_equal(get(fixture).expires_at, NOW + 900);
    close_barrier(fixture, &barrier);
    store_session_renew(fixture->store, ID, TOKEN_ID, NOW + 9000, NOW, kept_reply());
    assert_int_equal(get(fixture).expires_at, NOW + 900); /* as long as it is not on the disk */
    sem_post(&barrier.open);
    assert_int_equal(kept_finish(fixture->store), OK);
    sem_destroy(&barrier.open);
    assert_int_equal(get(fixture).expires_at, NOW + 9000);
    assert_string_equal(get(fixture).token_id, TOKEN_ID);
}

STORE_TEST(test_a_revocation_holds_at_once)
{
    struct fixture *fixture = *state;
    struct barrier barrier;

    assert_int_equal(KEPT(fixture->store, store_session_add, &plain), OK);
    assert_int_equal(get(fixture).revoked_at, 0);
    close_barrier(fixture, &barrier);
    store_session_revoke(fixture->store, ID, NOW + 1, kept_reply());
    assert_int_equal(get(fixture).revoked_at, NOW + 1);
    sem_post(&barrier.open);
    assert_int_equal(kept_finish(fixture->store), OK);
    sem_destroy(&barrier.open);
    assert_int_equal(get(fixture).revoked_at, NOW + 1);
}

STORE_TEST(test_what_is_gone_is_gone)
{
    struct fixture *fixture = *state;
    struct session found;

    assert_int_equal(KEPT(fixture->store, store_session_add, &plain), OK);
    assert_int_equal(get(fixture).expires_at, NOW + 900);
    assert_int_equal(KEPT(fixture->store, store_session_expire, NOW + 9000000), OK);
    assert_int_equal(store_session_get(fixture->store, ID, &found), ERROR_NOT_FOUND);
}

/* Many share its places. */
TEST(test_many_are_told_apart)
{
    struct recent recent = {.count = 0};
    struct session session = plain;
    unsigned found = 0;

    for (unsigned i = 0; i < 2 * RECENT_SESSIONS_MAX; i++) {
        snprintf(session.id, sizeof(session.id), "%032x", i);
        recent_add(&recent, &session);
        assert_string_equal(recent_find(&recent, session.id)->id, session.id);
    }
    assert_in_range(recent.count, 1, RECENT_SESSIONS_MAX);
    for (unsigned i = 0; i < 2 * RECENT_SESSIONS_MAX; i++) {
        snprintf(session.id, sizeof(session.id), "%032x", i);
        found += recent_find(&recent, session.id) != NULL;
    }
    assert_int_equal(found, recent.count);
    recent_clear(&recent);
    assert_int_equal(recent.count, 0);
    assert_null(recent_find(&recent, session.id));
}

/* One with lists is its reader's own each time. */
STORE_TEST(test_lists_are_whole_each_time)
{
    struct fixture *fixture = *state;
    struct session session = plain;

    session.verbs_set = true;
    assert_int_equal(text_list_add(&session.verbs, "call_tool", 9), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    session_clear(&session);
    session = get(fixture);
    assert_int_equal(session.verbs.count, 1);
    assert_string_equal(session.verbs.items[0], "call_tool");
    session_clear(&session);
}
