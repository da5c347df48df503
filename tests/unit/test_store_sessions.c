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

    assert_int_equal(KEPT(fixture->store, store_session_add, session), OK);
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
    assert_int_equal(KEPT(fixture->store, store_session_add, &session), expected);
}

STORE_TEST(test_sessions_refused)
{
    struct fixture *fixture = *state;
    struct session session = make_session("2");

    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
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

    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &other), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, session.id, NOW + 1), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, session.id, NOW + 2), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, "nobody", NOW), ERROR_NOT_FOUND);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, other.id, 0), ERROR_INVALID);
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
    assert_int_equal(KEPT(fixture->store, store_session_add, &live), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &elsewhere), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &over), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &revoked), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, revoked.id, NOW + 5), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke_all, "studio", NOW + 20, &count),
                     OK);
    assert_int_equal(count, 1);
    assert_int_equal(revoked_at(fixture, live.id), NOW + 20);
    assert_int_equal(revoked_at(fixture, elsewhere.id), 0);
    assert_int_equal(revoked_at(fixture, over.id), 0);
    assert_int_equal(revoked_at(fixture, revoked.id), NOW + 5);
    assert_int_equal(KEPT(fixture->store, store_session_revoke_all, NULL, NOW + 30, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(revoked_at(fixture, elsewhere.id), NOW + 30);
}

STORE_TEST(test_use_once)
{
    struct fixture *fixture = *state;
    struct session once = make_session("2"), often = make_session("4");

    once.once = true;
    assert_int_equal(KEPT(fixture->store, store_session_add, &once), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &often), OK);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 1), OK);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 1), ERROR_EXISTS);
    reopen(fixture);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 2), ERROR_EXISTS);
    assert_int_equal(KEPT(fixture->store, store_session_use, often.id, NOW + 1), ERROR_STATE);
    assert_int_equal(KEPT(fixture->store, store_session_use, "nobody", NOW + 1), ERROR_NOT_FOUND);
}

STORE_TEST(test_renew)
{
    struct fixture *fixture = *state;
    struct session live = make_session("2"), revoked = make_session("4"), once = make_session("6");
    struct session other = make_session("8"), found;
    const char *token_id = other.token_id;

    once.once = true;
    assert_int_equal(KEPT(fixture->store, store_session_add, &live), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &revoked), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &once), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, revoked.id, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_session_renew, live.id, token_id, NOW + 9000, NOW),
                     OK);
    assert_int_equal(
        KEPT(fixture->store, store_session_renew, revoked.id, token_id, NOW + 9000, NOW),
        ERROR_STATE);
    assert_int_equal(KEPT(fixture->store, store_session_renew, once.id, token_id, NOW + 9000, NOW),
                     ERROR_STATE);
    assert_int_equal(KEPT(fixture->store, store_session_renew, "nobody", token_id, NOW + 9000, NOW),
                     ERROR_NOT_FOUND);
    assert_int_equal(KEPT(fixture->store, store_session_renew, live.id, "x", NOW + 9000, NOW),
                     ERROR_INVALID);
    assert_int_equal(KEPT(fixture->store, store_session_renew, live.id, token_id, NOW, NOW),
                     ERROR_INVALID);
    reopen(fixture);
    assert_int_equal(store_session_get(fixture->store, live.id, &found), OK);
    assert_string_equal(found.token_id, token_id);
    assert_int_equal(found.expires_at, NOW + 9000);
    session_clear(&found);
    assert_int_equal(
        KEPT(fixture->store, store_session_renew, live.id, token_id, NOW + 9999, NOW + 9000),
        ERROR_STATE);
}

static bool append_first_digit(void *context, const struct session *session)
{
    buffer_append(context, session->id, 1);
    return true;
}

static void expect_sessions(struct fixture *fixture, const char *expected)
{
    struct buffer ids;

    buffer_init(&ids, 64);
    buffer_append_text(&ids, "");
    assert_int_equal(store_sessions_after(fixture->store, 0, "", append_first_digit, &ids), OK);
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
    assert_int_equal(KEPT(fixture->store, store_session_add, &late), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &gone), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &early), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, gone.id, NOW + 100), OK);
    expect_sessions(fixture, "824");
    assert_int_equal(KEPT(fixture->store, store_session_expire, NOW + 100 + 24 * 3600), OK);
    expect_sessions(fixture, "824");
    assert_int_equal(KEPT(fixture->store, store_session_expire, NOW + 101 + 24 * 3600), OK);
    expect_sessions(fixture, "82");
    assert_int_equal(KEPT(fixture->store, store_session_expire, NOW + 901 + 24 * 3600), OK);
    expect_sessions(fixture, "2");
}

/* Those that live are counted, of their surface; whoever asks first has what room there is. */
STORE_TEST(test_no_more_live_than_may)
{
    struct fixture *fixture = *state;
    struct session one = make_session("2"), two = make_session("4"), three = make_session("6"),
                   other = make_session("8"), late = make_session("b"), last = make_session("d");

    snprintf(other.surface, sizeof(other.surface), "other");
    two.once = true;
    three.expires_at = NOW + 50;
    late.created_at = NOW + 50;
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &one, 3), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &two, 3), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &three, 3), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &last, 3), ERROR_DENIED);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &other, 3), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &late, 3), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &last, 4), ERROR_DENIED);
    assert_int_equal(KEPT(fixture->store, store_session_use, two.id, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, one.id, NOW), OK);
    reopen(fixture);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &last, 2), ERROR_DENIED);
    assert_int_equal(KEPT(fixture->store, store_session_add_within, &last, 3), OK);
}

/* Asked for in order; nobody waits in between. */
STORE_TEST(test_changes_keep_their_order)
{
    struct fixture *fixture = *state;
    struct session session = make_session("2"), found;
    char token_id[TOKEN_ID_SIZE];
    const struct store_reply nobody = {NULL, NULL};

    memset(token_id, 'e', TOKEN_ID_SIZE - 1);
    token_id[TOKEN_ID_SIZE - 1] = '\0';
    store_session_add(fixture->store, &session, nobody);
    store_session_renew(fixture->store, session.id, token_id, NOW + 2000, NOW, nobody);
    store_session_revoke(fixture->store, session.id, NOW + 1, nobody);
    assert_int_equal(
        KEPT(fixture->store, store_session_renew, session.id, token_id, NOW + 3000, NOW + 2),
        ERROR_STATE);
    reopen(fixture);
    assert_int_equal(store_session_get(fixture->store, session.id, &found), OK);
    assert_int_equal(found.expires_at, NOW + 2000);
    assert_int_equal(found.revoked_at, NOW + 1);
    session_clear(&found);
}

static struct session read_session(struct fixture *fixture, const char *id)
{
    struct session found;

    assert_int_equal(store_session_get(fixture->store, id, &found), OK);
    return found;
}

/* In force before the disk knows: nothing was waited for. */
STORE_TEST(test_taking_away_holds_at_once)
{
    struct fixture *fixture = *state;
    struct session one = make_session("2"), once = make_session("4"), other = make_session("6");
    const struct store_reply nobody = {NULL, NULL};
    size_t count = 0;

    once.once = true;
    strcpy(other.surface, "tools");
    assert_int_equal(KEPT(fixture->store, store_session_add, &one), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &once), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &other), OK);

    store_session_revoke(fixture->store, one.id, NOW + 5, nobody);
    assert_int_equal(read_session(fixture, one.id).revoked_at, NOW + 5);
    assert_int_equal(read_session(fixture, once.id).revoked_at, 0);
    store_session_use(fixture->store, once.id, NOW + 6, nobody);
    assert_int_equal(read_session(fixture, once.id).used_at, NOW + 6);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 7), ERROR_EXISTS);
    assert_int_equal(read_session(fixture, once.id).used_at, NOW + 6);

    store_session_revoke_all(fixture->store, "tools", NOW + 8, &count,
                             (struct store_reply){NULL, NULL});
    assert_int_equal(read_session(fixture, other.id).revoked_at, NOW + 8);
    assert_int_equal(read_session(fixture, once.id).revoked_at, 0);
    store_finish(fixture->store);
    assert_int_equal(count, 1);
    assert_int_equal(read_session(fixture, other.id).revoked_at, NOW + 8);
}

/* What the disk could not be told goes on holding, and whoever asked hears why not. */
STORE_TEST(test_taking_away_holds_though_it_could_not_be_kept)
{
    struct fixture *fixture = *state;
    struct session one = make_session("2"), once = make_session("4"), other = make_session("6");
    size_t count = 7;

    once.once = true;
    strcpy(other.surface, "tools");
    assert_int_equal(KEPT(fixture->store, store_session_add, &one), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &once), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &other), OK);
    run_sql(fixture, "CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN"
                     " SELECT raise(ABORT, 'the disk is full'); END");
    assert_int_equal(KEPT(fixture->store, store_session_revoke, one.id, NOW + 5), ERROR_IO);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 6), ERROR_IO);
    assert_int_equal(KEPT(fixture->store, store_session_revoke_all, "tools", NOW + 8, &count),
                     ERROR_IO);
    assert_int_equal(count, 7);
    assert_int_equal(read_session(fixture, one.id).revoked_at, NOW + 5);
    assert_int_equal(read_session(fixture, once.id).used_at, NOW + 6);
    assert_int_equal(read_session(fixture, other.id).revoked_at, NOW + 8);
    assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW + 7), ERROR_EXISTS);
}

/* A page ends where its reader has enough, and the next one begins after it. */
struct reading {
    size_t most, rows;
    int64_t created_at;
    char last[TOKEN_ID_SIZE];
    struct buffer *seen;
};

static bool read_row(void *context, const struct session *session)
{
    struct reading *reading = context;

    if (reading->rows == reading->most)
        return false;
    reading->rows++;
    reading->created_at = session->created_at;
    memcpy(reading->last, session->id, sizeof(reading->last));
    buffer_append(reading->seen, session->id, 1);
    return true;
}

STORE_TEST(test_pages)
{
    static const char *const digits[] = {"2", "4", "6", "8", "b", "d"};
    struct fixture *fixture = *state;
    struct reading reading = {.created_at = 0};
    struct buffer seen;
    size_t before;

    for (size_t i = 0; i < 6; i++) {
        struct session session = make_session(digits[i]);

        session.created_at = NOW - (int64_t)(i / 2); /* two of an age */
        assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    }
    buffer_init(&seen, 64);
    reading.seen = &seen;
    do {
        before = seen.length;
        reading.rows = 0;
        reading.most = 2;
        assert_int_equal(store_sessions_after(fixture->store, reading.created_at, reading.last,
                                              read_row, &reading),
                         OK);
        if (seen.length == 4) { /* between two pages, one that was shown goes and another comes */
            struct session late = make_session("0");

            run_sql(fixture, "DELETE FROM sessions WHERE id LIKE '8888%'");
            assert_int_equal(KEPT(fixture->store, store_session_add, &late), OK);
        }
    } while (seen.length > before);
    assert_string_equal(seen.data, "bd68024");
    buffer_clear(&seen);
}

/* A lot is deleted a few at a time, and what is asked for meanwhile is not at the end of it. */
static void note_order(void *context, enum error error)
{
    buffer_append_text(context, error == OK ? "revoked " : "failed ");
}

static void note_expired(void *context, enum error error)
{
    buffer_append_text(context, error == OK ? "expired " : "failed ");
}

STORE_TEST(test_expiry_lets_others_pass)
{
    struct fixture *fixture = *state;
    struct session session = make_session("2");
    struct buffer order;

    run_sql(
        fixture,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        " INSERT INTO sessions SELECT printf('%032x', i), printf('%032x', i), 'studio', '', '-',"
        " 0, 1000, 2000, 0, 0, 0, NULL, NULL, NULL, '' FROM n");
    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    buffer_init(&order, 64);
    store_session_expire(fixture->store, NOW, (struct store_reply){note_expired, &order});
    store_session_revoke(fixture->store, session.id, NOW, (struct store_reply){note_order, &order});
    store_finish(fixture->store);
    assert_string_equal(order.data, "revoked expired ");
    expect_sessions(fixture, "2");
    buffer_clear(&order);
}

STORE_TEST(test_tally)
{
    struct fixture *fixture = *state;
    struct session one = make_session("2"), two = make_session("4"), gone = make_session("6"),
                   used = make_session("8"), elsewhere = make_session("b");
    struct store_tally tally;

    two.callers_set = true;
    used.once = true;
    strcpy(elsewhere.surface, "tools");
    assert_int_equal(KEPT(fixture->store, store_session_add, &one), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &two), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &gone), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &used), OK);
    assert_int_equal(KEPT(fixture->store, store_session_add, &elsewhere), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, gone.id, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_session_use, used.id, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_session_tally, NOW, &tally), OK);
    assert_int_equal(tally.active, 3);
    assert_int_equal(tally.count, 2);
    assert_string_equal(tally.rows[0].surface, "studio");
    assert_int_equal(tally.rows[0].active, 2);
    assert_int_equal(tally.rows[0].any_caller, 1);
    assert_string_equal(tally.rows[1].surface, "tools");
    assert_int_equal(KEPT(fixture->store, store_session_tally, NOW + 900, &tally), OK);
    assert_int_equal(tally.active, 0);
}
