/* sessions.c: sessions keep every member, and end when they are told to. */
#include "store_fixture.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct session make_session(const char *id_digit)
{
    struct session session = {.surface = "studio",
                              .params_name = "everything",
                              .params_digest = DIGEST,
                              .created_by = 4294967295u,
                              .created_at = NOW,
                              .expires_at = NOW + 900};

    memset(session.id, id_digit[0], TOKEN_ID_SIZE - 1);
    memset(session.token_id, id_digit[0] ^ 1, TOKEN_ID_SIZE - 1);
    return session;
}

static void assert_same_list(const struct text_list *left, const struct text_list *right)
{
    assert_int_equal(left->count, right->count);
    for (size_t i = 0; i < left->count; i++)
        assert_string_equal(left->items[i], right->items[i]);
}

static void assert_same_session(const struct session *left, const struct session *right)
{
    assert_string_equal(left->id, right->id);
    assert_string_equal(left->token_id, right->token_id);
    assert_string_equal(left->surface, right->surface);
    assert_string_equal(left->params_name, right->params_name);
    assert_string_equal(left->params_digest, right->params_digest);
    assert_int_equal(left->created_by, right->created_by);
    assert_int_equal(left->created_at, right->created_at);
    assert_int_equal(left->expires_at, right->expires_at);
    assert_int_equal(left->revoked_at, right->revoked_at);
    assert_int_equal(left->used_at, right->used_at);
    assert_int_equal(left->once, right->once);
    assert_int_equal(left->verbs_set, right->verbs_set);
    assert_int_equal(left->targets_set, right->targets_set);
    assert_int_equal(left->callers_set, right->callers_set);
    assert_same_list(&left->verbs, &right->verbs);
    assert_same_list(&left->targets, &right->targets);
    assert_int_equal(left->caller_count, right->caller_count);
    assert_memory_equal(left->callers, right->callers, sizeof(left->callers));
}

static void expect_round_trip(struct fixture *fixture, const struct session *session)
{
    struct session read;

    assert_int_equal(store_session_add(fixture->store, session), OK);
    reopen(fixture);
    assert_int_equal(store_session_get(fixture->store, session->id, &read), OK);
    assert_same_session(session, &read);
    session_clear(&read);
}

STORE_TEST(test_sessions_round_trip)
{
    struct fixture *fixture = *state;
    struct session plain = make_session("2"), full = make_session("4"), empty = make_session("6");
    struct session absent;

    expect_round_trip(fixture, &plain);
    full.once = true;
    full.verbs_set = full.targets_set = full.callers_set = true;
    assert_int_equal(text_list_add(&full.verbs, "call_tool", 9), OK);
    assert_int_equal(text_list_add(&full.targets, "a\"b\\\xc3\xa9*", 7), OK);
    assert_int_equal(text_list_add(&full.targets, "", 0), OK);
    full.callers[0] = 0;
    full.callers[1] = 4294967295u;
    full.caller_count = 2;
    expect_round_trip(fixture, &full);
    /* An empty list is a limit, and not the same as none. */
    empty.verbs_set = empty.targets_set = empty.callers_set = true;
    strcpy(empty.params_name, "");
    strcpy(empty.params_digest, "-");
    expect_round_trip(fixture, &empty);
    session_clear(&full);
    assert_int_equal(store_session_get(fixture->store, "nobody", &absent), ERROR_NOT_FOUND);
}

static void refuse_session(struct fixture *fixture, struct session session, enum error expected)
{
    assert_int_equal(store_session_add(fixture->store, &session), expected);
}

STORE_TEST(test_sessions_refused)
{
    struct fixture *fixture = *state;
    struct session session = make_session("2");

    assert_int_equal(store_session_add(fixture->store, &session), OK);
    refuse_session(fixture, session, ERROR_EXISTS);
    session.id[0] = '3'; /* the token is another session's still */
    refuse_session(fixture, session, ERROR_EXISTS);
    session = make_session("4"), session.id[0] = '\0';
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), session.id[3] = 'X';
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), strcpy(session.surface, "../x");
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), strcpy(session.params_name, "a/b");
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), strcpy(session.params_digest, "");
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), session.expires_at = session.created_at;
    refuse_session(fixture, session, ERROR_INVALID);
    session = make_session("4"), session.caller_count = SESSION_CALLERS_MAX + 1;
    refuse_session(fixture, session, ERROR_LIMIT);
    session = make_session("4"), session.verbs_set = true;
    assert_int_equal(text_list_add(&session.verbs, "\xff", 1), OK);
    refuse_session(fixture, session, ERROR_INVALID);
    for (int i = 0; i < SESSION_LIST_MAX; i++)
        assert_int_equal(text_list_add(&session.verbs, "v", 1), OK);
    refuse_session(fixture, session, ERROR_LIMIT);
    session_clear(&session);
}

static int64_t revoked_at(struct fixture *fixture, const char *id)
{
    struct session session;
    int64_t at;

    assert_int_equal(store_session_get(fixture->store, id, &session), OK);
    at = session.revoked_at;
    session_clear(&session);
    return at;
}

STORE_TEST(test_revoke)
{
    struct fixture *fixture = *state;
    struct session session = make_session("2"), other = make_session("4");

    assert_int_equal(store_session_add(fixture->store, &session), OK);
    assert_int_equal(store_session_add(fixture->store, &other), OK);
    assert_int_equal(store_session_revoke(fixture->store, session.id, NOW + 1), OK);
    assert_int_equal(store_session_revoke(fixture->store, session.id, NOW + 2), OK);
    assert_int_equal(store_session_revoke(fixture->store, "nobody", NOW), ERROR_NOT_FOUND);
    assert_int_equal(store_session_revoke(fixture->store, other.id, 0), ERROR_INVALID);
    reopen(fixture);
    assert_int_equal(revoked_at(fixture, session.id), NOW + 1);
    assert_int_equal(revoked_at(fixture, other.id), 0);
}

STORE_TEST(test_revoke_all)
{
    struct fixture *fixture = *state;
    struct session live = make_session("2"), elsewhere = make_session("4"),
                   over = make_session("6"), revoked = make_session("8");
    size_t count = 0;

    strcpy(elsewhere.surface, "other");
    over.expires_at = NOW + 10;
    assert_int_equal(store_session_add(fixture->store, &live), OK);
    assert_int_equal(store_session_add(fixture->store, &elsewhere), OK);
    assert_int_equal(store_session_add(fixture->store, &over), OK);
    assert_int_equal(store_session_add(fixture->store, &revoked), OK);
    assert_int_equal(store_session_revoke(fixture->store, revoked.id, NOW + 5), OK);
    assert_int_equal(store_session_revoke_all(fixture->store, "studio", NOW + 20, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(revoked_at(fixture, live.id), NOW + 20);
    assert_int_equal(revoked_at(fixture, elsewhere.id), 0);
    assert_int_equal(revoked_at(fixture, over.id), 0);
    assert_int_equal(revoked_at(fixture, revoked.id), NOW + 5);
    assert_int_equal(store_session_revoke_all(fixture->store, NULL, NOW + 30, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(revoked_at(fixture, elsewhere.id), NOW + 30);
}

STORE_TEST(test_use_once)
{
    struct fixture *fixture = *state;
    struct session once = make_session("2"), often = make_session("4");

    once.once = true;
    assert_int_equal(store_session_add(fixture->store, &once), OK);
    assert_int_equal(store_session_add(fixture->store, &often), OK);
    assert_int_equal(store_session_use(fixture->store, once.id, NOW + 1), OK);
    assert_int_equal(store_session_use(fixture->store, once.id, NOW + 1), ERROR_EXISTS);
    reopen(fixture);
    assert_int_equal(store_session_use(fixture->store, once.id, NOW + 2), ERROR_EXISTS);
    assert_int_equal(store_session_use(fixture->store, often.id, NOW + 1), ERROR_STATE);
    assert_int_equal(store_session_use(fixture->store, "nobody", NOW + 1), ERROR_NOT_FOUND);
}

STORE_TEST(test_renew)
{
    struct fixture *fixture = *state;
    struct session live = make_session("2"), revoked = make_session("4"), once = make_session("6");
    struct session other = make_session("8"), found;
    const char *token_id = other.token_id;

    once.once = true;
    assert_int_equal(store_session_add(fixture->store, &live), OK);
    assert_int_equal(store_session_add(fixture->store, &revoked), OK);
    assert_int_equal(store_session_add(fixture->store, &once), OK);
    assert_int_equal(store_session_revoke(fixture->store, revoked.id, NOW), OK);
    assert_int_equal(store_session_use(fixture->store, once.id, NOW), OK);
    assert_int_equal(store_session_renew(fixture->store, live.id, token_id, NOW + 9000, NOW), OK);
    assert_int_equal(store_session_renew(fixture->store, revoked.id, token_id, NOW + 9000, NOW),
                     ERROR_STATE);
    assert_int_equal(store_session_renew(fixture->store, once.id, token_id, NOW + 9000, NOW),
                     ERROR_STATE);
    assert_int_equal(store_session_renew(fixture->store, "nobody", token_id, NOW + 9000, NOW),
                     ERROR_NOT_FOUND);
    assert_int_equal(store_session_renew(fixture->store, live.id, "x", NOW + 9000, NOW),
                     ERROR_INVALID);
    assert_int_equal(store_session_renew(fixture->store, live.id, token_id, NOW, NOW),
                     ERROR_INVALID);
    reopen(fixture);
    assert_int_equal(store_session_get(fixture->store, live.id, &found), OK);
    assert_string_equal(found.token_id, token_id);
    assert_int_equal(found.expires_at, NOW + 9000);
    session_clear(&found);
    assert_int_equal(store_session_renew(fixture->store, live.id, token_id, NOW + 9999, NOW + 9000),
                     ERROR_STATE);
}

static void append_first_digit(void *context, const struct session *session)
{
    buffer_append(context, session->id, 1);
}

static void expect_sessions(struct fixture *fixture, const char *expected)
{
    struct buffer ids;

    buffer_init(&ids, 64);
    buffer_append_text(&ids, "");
    assert_int_equal(store_session_each(fixture->store, append_first_digit, &ids), OK);
    assert_string_equal(ids.data, expected);
    buffer_clear(&ids);
}

STORE_TEST(test_each_and_expire)
{
    struct fixture *fixture = *state;
    struct session early = make_session("8"), late = make_session("2"), gone = make_session("4");

    expect_sessions(fixture, "");
    early.created_at = NOW - 10;
    late.expires_at = NOW + 7 * 24 * 3600;
    gone.expires_at = NOW + 7 * 24 * 3600;
    gone.created_at = NOW + 1;
    assert_int_equal(store_session_add(fixture->store, &late), OK);
    assert_int_equal(store_session_add(fixture->store, &gone), OK);
    assert_int_equal(store_session_add(fixture->store, &early), OK);
    assert_int_equal(store_session_revoke(fixture->store, gone.id, NOW + 100), OK);
    expect_sessions(fixture, "824");
    assert_int_equal(store_session_expire(fixture->store, NOW + 100 + 24 * 3600), OK);
    expect_sessions(fixture, "824");
    assert_int_equal(store_session_expire(fixture->store, NOW + 101 + 24 * 3600), OK);
    expect_sessions(fixture, "82");
    assert_int_equal(store_session_expire(fixture->store, NOW + 901 + 24 * 3600), OK);
    expect_sessions(fixture, "2");
}
