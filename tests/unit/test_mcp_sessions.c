/* mcp_sessions.c: an MCP session belongs to the session of the gate that opened it. */
#include "worker/mcp/mcp_sessions.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mcp_sessions sessions;
static struct quotas *quotas;

static int set_up(void **state)
{
    (void)state;
    if (quotas_create(3, &quotas) != OK)
        return -1;
    sessions = (struct mcp_sessions){.quotas = quotas};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mcp_sessions_end_all(&sessions, NULL);
    quotas_destroy(quotas);
    return sessions.by_id.count == 0 && sessions.by_owner.count == 0 ? 0 : -1;
}

static struct mcp_session_key key_of(uint32_t surface, const char *owner, const char *id)
{
    return (struct mcp_session_key){surface, owner, span_of(id)};
}

static enum error try_open(uint32_t surface, const char *owner, const char *id,
                           struct mcp_session **out)
{
    const struct mcp_session_key key = key_of(surface, owner, id);
    struct vet_state *vet;
    enum error error;

    assert_int_equal(vet_state_create(quotas, quota_session(surface, owner), &vet), OK);
    error = mcp_sessions_open(&sessions, &key, vet, out);
    if (error != OK)
        vet_state_destroy(vet); /* it stayed ours */
    return error;
}

/* Opened, and held. */
static struct mcp_session *opened(uint32_t surface, const char *owner, const char *id)
{
    struct mcp_session *session = NULL;

    assert_int_equal(try_open(surface, owner, id, &session), OK);
    assert_non_null(session->vet);
    return session;
}

static void open_and_release(uint32_t surface, const char *owner, const char *id)
{
    mcp_sessions_release(opened(surface, owner, id));
}

static struct mcp_session *find(uint32_t surface, const char *owner, const char *id)
{
    const struct mcp_session_key key = key_of(surface, owner, id);

    return mcp_sessions_find(&sessions, &key);
}

static bool is_there(uint32_t surface, const char *owner, const char *id)
{
    struct mcp_session *session = find(surface, owner, id);

    mcp_sessions_release(session);
    return session != NULL;
}

#define SESSIONS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

SESSIONS_TEST(test_binding)
{
    open_and_release(1, "alpha", "one");
    assert_true(is_there(1, "alpha", "one"));
    assert_false(is_there(1, "beta", "one"));
    assert_false(is_there(1, "", "one"));
    assert_false(is_there(1, "alph", "one"));
    assert_false(is_there(2, "alpha", "one"));
    assert_false(is_there(1, "alpha", "on"));
    assert_false(is_there(1, "alpha", "One"));
    assert_false(is_there(1, "alpha", "one "));
    assert_false(is_there(1, "alpha", ""));
}

SESSIONS_TEST(test_ids)
{
    static char id[MCP_SESSION_ID_BYTES_MAX + 2];
    struct mcp_session *session;

    open_and_release(1, "alpha", "one");
    assert_int_equal(try_open(1, "alpha", "one", &session), ERROR_EXISTS);
    /* Nobody else's either: two clients would share one. */
    assert_int_equal(try_open(1, "beta", "one", &session), ERROR_EXISTS);
    assert_false(is_there(1, "beta", "one"));
    /* Other surfaces are other services. */
    open_and_release(2, "beta", "one");
    assert_true(is_there(1, "alpha", "one"));
    assert_true(is_there(2, "beta", "one"));
    assert_int_equal(try_open(1, "alpha", "", &session), ERROR_LIMIT);
    memset(id, 'x', sizeof(id) - 1);
    assert_int_equal(try_open(1, "alpha", id, &session), ERROR_LIMIT);
    id[MCP_SESSION_ID_BYTES_MAX] = '\0';
    open_and_release(1, "alpha", id);
    assert_true(is_there(1, "alpha", id));
    assert_int_equal(sessions.by_id.count, 3);
}

SESSIONS_TEST(test_holds)
{
    struct mcp_session *session = opened(1, "alpha", "one"), *again = find(1, "alpha", "one");

    assert_ptr_equal(again, session);
    assert_int_equal(session->users, 2);
    mcp_sessions_release(again);
    /* Ended while held: found no more, but still there for who holds it. */
    mcp_sessions_end(&sessions, session);
    assert_false(is_there(1, "alpha", "one"));
    assert_int_equal(sessions.by_id.count, 0);
    assert_string_equal(session->id, "one");
    assert_non_null(session->vet);
    mcp_sessions_end(&sessions, session);
    /* Its id is free for another meanwhile. */
    open_and_release(1, "beta", "one");
    mcp_sessions_release(session);
    assert_true(is_there(1, "beta", "one"));
    mcp_sessions_release(NULL);
}

SESSIONS_TEST(test_end_all)
{
    struct mcp_session *held = opened(1, "alpha", "held");

    open_and_release(1, "alpha", "one");
    open_and_release(2, "alpha", "two");
    open_and_release(1, "beta", "three");
    mcp_sessions_end_all(&sessions, "alpha");
    assert_false(is_there(1, "alpha", "one"));
    assert_false(is_there(2, "alpha", "two"));
    assert_false(is_there(1, "alpha", "held"));
    assert_true(is_there(1, "beta", "three"));
    assert_int_equal(sessions.by_id.count, 1);
    mcp_sessions_end_all(&sessions, "nobody");
    assert_int_equal(sessions.by_id.count, 1);
    mcp_sessions_end_all(&sessions, NULL);
    assert_int_equal(sessions.by_id.count, 0);
    mcp_sessions_release(held);
}

/* Some of one owner's, oldest first: "OWNER 0", "OWNER 1", ... */
static void fill(const char *owner, size_t count)
{
    char id[48];

    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "%s %zu", owner, i);
        open_and_release(1, owner, id);
    }
}

SESSIONS_TEST(test_own_oldest_gives_way)
{
    size_t limit = quota_info(QUOTA_MCP_SESSIONS)->limit;

    open_and_release(1, "beta", "old");
    fill("alpha", limit);
    assert_true(is_there(1, "alpha", "alpha 0")); /* used just now: "1" is the oldest */
    assert_int_equal(sessions.by_id.count, limit + 1);
    open_and_release(1, "alpha", "more");
    assert_int_equal(sessions.by_id.count, limit + 1);
    assert_true(is_there(1, "alpha", "alpha 0"));
    assert_false(is_there(1, "alpha", "alpha 1"));
    assert_true(is_there(1, "alpha", "alpha 2"));
    assert_true(is_there(1, "beta", "old"));
    assert_int_equal(quotas_counts(quotas, 1)->gave_way[QUOTA_MCP_SESSIONS], 1);
}

/* Whoever has the most makes room for somebody new, not who was there first. */
SESSIONS_TEST(test_full)
{
    size_t limit = quota_info(QUOTA_MCP_SESSIONS)->limit;
    char owner[16];

    open_and_release(1, "modest", "old");
    for (size_t i = 0; i < MCP_SESSIONS_MAX / limit; i++) {
        snprintf(owner, sizeof(owner), "greedy%zu", i);
        fill(owner, limit);
    }
    assert_int_equal(sessions.by_id.count, MCP_SESSIONS_MAX);
    open_and_release(2, "beta", "first");
    assert_int_equal(sessions.by_id.count, MCP_SESSIONS_MAX);
    assert_true(is_there(1, "modest", "old"));
    assert_true(is_there(2, "beta", "first"));
}

SESSIONS_TEST(test_limit_with_all_in_use)
{
    static struct mcp_session *held[MCP_SESSIONS_MAX];
    size_t limit = quota_info(QUOTA_MCP_SESSIONS)->limit;
    struct mcp_session *session;
    char id[24], owner[24];

    for (size_t i = 0; i < MCP_SESSIONS_MAX; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        snprintf(owner, sizeof(owner), "owner %zu", i / limit);
        held[i] = opened(1, owner, id);
    }
    assert_int_equal(try_open(1, "owner 1", "more", &session), ERROR_DENIED);
    assert_int_equal(try_open(1, "beta", "more", &session), ERROR_LIMIT);
    assert_int_equal(sessions.by_id.count, MCP_SESSIONS_MAX);
    mcp_sessions_release(held[77]);
    open_and_release(1, "beta", "more");
    assert_false(is_there(1, "owner 0", "77"));
    for (size_t i = 0; i < MCP_SESSIONS_MAX; i++) {
        if (i != 77)
            mcp_sessions_release(held[i]);
    }
}

SESSIONS_TEST(test_hold)
{
    struct mcp_session *session = opened(1, "alpha", "one");

    assert_ptr_equal(mcp_sessions_hold(&sessions, session, "alpha"), session);
    assert_int_equal(session->users, 2);
    mcp_sessions_release(session);
    assert_null(mcp_sessions_hold(&sessions, session, "beta"));
    mcp_sessions_end(&sessions, session);
    assert_null(mcp_sessions_hold(&sessions, session, "alpha"));
    mcp_sessions_release(session);
}
