/* generation.c: a database that was restored is known for one, and revives nobody. */
#include "store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKUP "backup.db"

static struct session make_session(char digit)
{
    struct session session = {
        .surface = "studio", .params_digest = "-", .created_at = NOW, .expires_at = NOW + 900};

    memset(session.id, digit, TOKEN_ID_SIZE - 1);
    memset(session.token_id, digit ^ 1, TOKEN_ID_SIZE - 1);
    return session;
}

static enum reason state_of(struct fixture *fixture, const char *id)
{
    struct session session;
    enum reason ended;

    assert_int_equal(store_session_get(fixture->store, id, &session), OK);
    ended = session_ended(&session, NOW + 1);
    session_clear(&session);
    return ended;
}

static void copy_file(const struct fixture *fixture, const char *from, const char *to)
{
    char in_path[512], out_path[512], bytes[4096];
    FILE *in, *out;
    size_t length;

    path_of(fixture, from, in_path, sizeof(in_path));
    path_of(fixture, to, out_path, sizeof(out_path));
    in = fopen(in_path, "re");
    out = fopen(out_path, "we");
    assert_non_null(in);
    assert_non_null(out);
    while ((length = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, length, out), length);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* With the store closed: its database then is one file. */
static void back_up(struct fixture *fixture)
{
    close_store(fixture);
    copy_file(fixture, "sidelock.db", BACKUP);
    assert_int_equal(open_store(fixture), OK);
}

static void restore(struct fixture *fixture)
{
    close_store(fixture);
    copy_file(fixture, BACKUP, "sidelock.db");
    if (open_store(fixture) != OK)
        fail_msg("%s", fixture->why);
}

static bool restored_now(const struct fixture *fixture)
{
    bool now;

    (void)store_restored_at(fixture->store, &now);
    return now;
}

static void read_generation(const struct fixture *fixture, char out[TOKEN_ID_SIZE])
{
    snprintf(out, TOKEN_ID_SIZE, "%s", store_generation(fixture->store));
    assert_true(token_id_valid(out));
}

STORE_TEST(test_a_restart_changes_nothing)
{
    struct fixture *fixture = *state;
    struct session session = make_session('2');
    char before[TOKEN_ID_SIZE];
    bool now;

    read_generation(fixture, before);
    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, session.id, NOW), OK);
    for (int i = 0; i < 3; i++) {
        reopen(fixture);
        assert_string_equal(store_generation(fixture->store), before);
        assert_int_equal(store_restored_at(fixture->store, &now), 0);
        assert_false(now);
    }
    assert_int_equal(state_of(fixture, session.id), REASON_SESSION_REVOKED);
}

/* After a backup, each in turn: whatever takes something away is missed by the database. */
STORE_TEST(test_each_taking_away_tells)
{
    struct fixture *fixture = *state;
    struct session live = make_session('2'), once = make_session('4');
    struct store_params params;
    char token_id[TOKEN_ID_SIZE];
    size_t count;

    once.once = true;
    memset(token_id, 'e', TOKEN_ID_SIZE - 1);
    token_id[TOKEN_ID_SIZE - 1] = '\0';
    for (int what = 0; what < 7; what++) {
        live.id[0] = once.id[0] = live.token_id[0] = once.token_id[0] = (char)('0' + what);
        assert_int_equal(KEPT(fixture->store, store_session_add, &live), OK);
        assert_int_equal(KEPT(fixture->store, store_session_add, &once), OK);
        assert_int_equal(KEPT(fixture->store, store_params_put, "r", "", "{}", 2, NOW, &params),
                         OK);
        back_up(fixture);
        switch (what) {
        case 0:
            assert_int_equal(KEPT(fixture->store, store_session_revoke, live.id, NOW), OK);
            break;
        case 1:
            assert_int_equal(KEPT(fixture->store, store_session_revoke_all, NULL, NOW, &count), OK);
            break;
        case 2:
            assert_int_equal(KEPT(fixture->store, store_session_use, once.id, NOW), OK);
            break;
        case 3:
            token_id[0] = (char)('0' + what);
            assert_int_equal(
                KEPT(fixture->store, store_session_renew, live.id, token_id, NOW + 950, NOW), OK);
            break;
        case 4:
            assert_int_equal(KEPT(fixture->store, store_params_remove, "r"), OK);
            break;
        case 5:
            assert_int_equal(
                KEPT(fixture->store, store_params_put, "r", "", "{\"a\":1}", 7, NOW, &params), OK);
            break;
        default:
            assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "studio", true, NOW),
                             OK);
        }
        restore(fixture);
        if (!restored_now(fixture))
            fail_msg("change %d is not missed", what);
        assert_int_equal(state_of(fixture, live.id), REASON_STORE_RESTORED);
        assert_int_equal(state_of(fixture, once.id), REASON_STORE_RESTORED);
    }
}

STORE_TEST(test_a_restored_store_goes_on)
{
    struct fixture *fixture = *state;
    struct session old = make_session('2'), fresh = make_session('4');
    char before[TOKEN_ID_SIZE], after[TOKEN_ID_SIZE];
    struct store_tally tally;
    bool now;

    read_generation(fixture, before);
    assert_int_equal(KEPT(fixture->store, store_session_add, &old), OK);
    back_up(fixture);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, old.id, NOW), OK);
    restore(fixture);
    read_generation(fixture, after);
    assert_string_not_equal(before, after);
    assert_int_equal(KEPT(fixture->store, store_session_add, &fresh), OK);
    assert_int_equal(KEPT(fixture->store, store_session_tally, NOW, &tally), OK);
    assert_int_equal(tally.active, 1);

    /* From then on it is an ordinary one, which remembers. */
    reopen(fixture);
    assert_true(store_restored_at(fixture->store, &now) > 0);
    assert_false(now);
    assert_string_equal(store_generation(fixture->store), after);
    assert_int_equal(state_of(fixture, old.id), REASON_STORE_RESTORED);
    assert_int_equal(state_of(fixture, fresh.id), REASON_ALLOWED);

    /* The same backup once more is of another generation, whatever the counts say. */
    restore(fixture);
    assert_true(restored_now(fixture));
    assert_string_not_equal(store_generation(fixture->store), after);
}

STORE_TEST(test_kill_switches_outlive_the_backup)
{
    struct fixture *fixture = *state;
    bool killed;

    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "before", true, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "armed", true, NOW), OK);
    back_up(fixture);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "since", true, NOW), OK);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "armed", false, NOW), OK);
    restore(fixture);
    assert_true(restored_now(fixture));
    assert_int_equal(store_surface_killed(fixture->store, "before", &killed), OK);
    assert_true(killed);
    assert_int_equal(store_surface_killed(fixture->store, "since", &killed), OK);
    assert_true(killed);
    /* What a backup has killed is killed: armed since is not known for certain. */
    assert_int_equal(store_surface_killed(fixture->store, "armed", &killed), OK);
    assert_true(killed);
    assert_int_equal(store_surface_killed(fixture->store, "never", &killed), OK);
    assert_false(killed);
}

static void write_file(const struct fixture *fixture, const char *text)
{
    char path[512];
    FILE *file;

    path_of(fixture, "generation", path, sizeof(path));
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Gone or spoilt: nobody can say that the database is not a restored one. */
STORE_TEST(test_without_the_file)
{
    static const char *const texts[] = {NULL,
                                        "",
                                        "\n",
                                        "x",
                                        "0123456789abcdef0123456789abcdef",
                                        "0123456789abcdef0123456789abcdef 1",
                                        "0123456789abcdef0123456789abcdef x\n",
                                        "0123456789abcdef0123456789abcdef 1\nkilled a b\n",
                                        "0123456789abcdef0123456789abcdef 1\nkilled a",
                                        "0123456789abcdef0123456789abcdef 1\n"};
    struct fixture *fixture = *state;
    struct session session = make_session('0');
    char path[512];

    path_of(fixture, "generation", path, sizeof(path));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        session.id[0] = session.token_id[0] = (char)('0' + i);
        assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
        close_store(fixture);
        if (texts[i] != NULL)
            write_file(fixture, texts[i]);
        else
            assert_int_equal(unlink(path), 0);
        assert_int_equal(open_store(fixture), OK);
        if (!restored_now(fixture))
            fail_msg("case %zu was believed", i);
        assert_int_equal(state_of(fixture, session.id), REASON_STORE_RESTORED);
    }
}

STORE_TEST(test_the_file_is_nobody_elses)
{
    struct fixture *fixture = *state;
    struct stat facts;
    char path[512];

    path_of(fixture, "generation", path, sizeof(path));
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    close_store(fixture);
    assert_int_equal(chmod(path, 0622), 0);
    assert_int_equal(open_store(fixture), ERROR_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_store(fixture), OK);
}

/* A crash between the two leaves the database ahead: it is no restored one. */
STORE_TEST(test_the_database_may_be_ahead)
{
    struct fixture *fixture = *state;
    struct session session = make_session('2');
    char path[512], kept_aside[512];

    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    path_of(fixture, "generation", path, sizeof(path));
    path_of(fixture, "aside", kept_aside, sizeof(kept_aside));
    assert_int_equal(link(path, kept_aside), 0);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, session.id, NOW), OK);
    close_store(fixture);
    assert_int_equal(rename(kept_aside, path), 0);
    assert_int_equal(open_store(fixture), OK);
    assert_false(restored_now(fixture));
    assert_int_equal(state_of(fixture, session.id), REASON_SESSION_REVOKED);
    /* And the file was mended: the database of before is known from now on. */
    back_up(fixture);
    assert_false(restored_now(fixture));
}

/* The file could not be written: whoever asked is told, and the next start mends it. */
STORE_TEST(test_a_file_that_cannot_be_written)
{
    struct fixture *fixture = *state;
    struct session session = make_session('2');
    char path[512];

    path_of(fixture, "generation.new", path, sizeof(path));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    assert_int_equal(KEPT(fixture->store, store_session_revoke, session.id, NOW), ERROR_IO);
    assert_int_equal(state_of(fixture, session.id), REASON_SESSION_REVOKED);
    assert_int_equal(rmdir(path), 0);
    reopen(fixture);
    assert_false(restored_now(fixture));
    assert_int_equal(state_of(fixture, session.id), REASON_SESSION_REVOKED);
}

/* A store of before there were generations: its sessions go on. */
STORE_TEST(test_a_store_of_before)
{
    struct fixture *fixture = *state;
    struct session session = make_session('2');
    char path[512];

    assert_int_equal(KEPT(fixture->store, store_session_add, &session), OK);
    close_store(fixture);
    run_sql(fixture, "DELETE FROM meta WHERE name <> 'key'");
    path_of(fixture, "generation", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_store(fixture), OK);
    assert_false(restored_now(fixture));
    assert_int_equal(state_of(fixture, session.id), REASON_ALLOWED);
    /* But one of those times that comes back is a restored one. */
    close_store(fixture);
    run_sql(fixture, "DELETE FROM meta WHERE name <> 'key'");
    assert_int_equal(open_store(fixture), OK);
    assert_true(restored_now(fixture));
}
