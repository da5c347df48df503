/* operations/records.c and switches.c: records, the kill switch, and the audit log behind all. */
#include "operations_fixture.h"

#include <dirent.h>
#include <fcntl.h>

/* Makes every write to the audit log fail, as a full disk would. */
static void break_audit(const struct broker_fixture *fixture)
{
    DIR *descriptors = opendir("/proc/self/fd");
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct dirent *entry;
    int broken = 0;

    assert_non_null(descriptors);
    while ((entry = readdir(descriptors)) != NULL) {
        char link[300], target[4096];
        ssize_t length;

        snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
        length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, fixture->gate.audit_path) == 0) {
            assert_true(dup2(nowhere, (int)strtol(entry->d_name, NULL, 10)) >= 0);
            broken++;
        }
    }
    closedir(descriptors);
    close(nowhere);
    assert_true(broken > 0);
}

/* Parameter records. */

BROKER_TEST(test_put_keeps_a_record)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct store_params stored;
    struct buffer json;

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    buffer_init(&json, FIXTURE_BYTES);
    assert_int_equal(records_get(&operation, "everything", true, &stored, &json), OK);
    assert_string_equal(json.data, RECORD);
    assert_string_equal(stored.surface, "studio");
    assert_logged(fixture, "params_stored");
    assert_logged(fixture, "params_revealed");
    assert_non_null(strstr(fixture_audit(fixture), stored.digest));
    assert_non_null(strstr(fixture_audit(fixture), "\"operator_uid\":1234"));
    buffer_wipe(&json);
}

BROKER_TEST(test_put_refuses)
{
    static const struct {
        const char *name, *surface, *json;
        enum error error;
        enum reason reason;
    } cases[] = {
        {"", NULL, RECORD, ERROR_INVALID, REASON_INTERNAL},
        {"-x", NULL, RECORD, ERROR_INVALID, REASON_INTERNAL},
        {"a/b", NULL, RECORD, ERROR_INVALID, REASON_INTERNAL},
        {"a b", NULL, RECORD, ERROR_INVALID, REASON_INTERNAL},
        {"0123456789012345678901234567890123456789012345678901234567890123x", NULL, RECORD,
         ERROR_INVALID, REASON_INTERNAL},
        {"x", "nowhere", RECORD, ERROR_INVALID, REASON_INTERNAL},
        {"x", NULL, "", ERROR_SYNTAX, REASON_INTERNAL},
        {"x", NULL, "[]", ERROR_SYNTAX, REASON_INTERNAL},
        {"x", NULL, "{\"a\":1,\"a\":2}", ERROR_SYNTAX, REASON_INTERNAL},
        {"x", NULL, "{\"command\":\"/bin/sh\"}", ERROR_DENIED, REASON_EXECUTABLE_REFUSED},
        {"x", NULL, "{\"deep\":{\"command\":\"/bin/sh\"}}", ERROR_DENIED,
         REASON_EXECUTABLE_REFUSED},
        {"x", NULL, "{\"command\":\"/bin/true\",\"env\":{\"LD_PRELOAD\":\"x\"}}", ERROR_DENIED,
         REASON_EXECUTABLE_REFUSED},
    };
    struct broker_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct operation operation = begin(fixture);
        struct store_params stored;

        assert_int_equal(RUN(fixture, records_put(&operation, cases[i].name, cases[i].surface,
                                                  span_of(cases[i].json), &stored)),
                         cases[i].error);
        assert_int_equal(operation.reason, cases[i].reason);
        assert_true(operation.why[0] != '\0');
        assert_int_equal(store_params_get(fixture->gate.store, "x", &stored, NULL),
                         ERROR_NOT_FOUND);
    }
    assert_string_equal(fixture_audit(fixture), "");
}

BROKER_TEST(test_put_refuses_a_large_record)
{
    struct broker_fixture *fixture = *state;
    size_t length = 64 * 1024 + 1;
    char *json = malloc(length + 1);

    assert_non_null(json);
    memset(json, ' ', length);
    json[0] = '{';
    json[length - 1] = '}';
    json[length] = '\0';
    assert_int_equal(put(fixture, "x", NULL, json), ERROR_LIMIT);
    json[length - 2] = '}';
    json[length - 1] = '\0';
    assert_int_equal(put(fixture, "x", NULL, json), OK);
    free(json);
}

BROKER_TEST(test_changed_record_cuts_its_sessions)
{
    struct broker_fixture *fixture = *state;
    char bound[TOKEN_ID_SIZE], gone[TOKEN_ID_SIZE], revoked[TOKEN_ID_SIZE], other[TOKEN_ID_SIZE];
    struct wish brief = with_record;

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    brief.ttl_s = 10;
    assert_int_equal(create(fixture, &brief, gone, NULL), OK);
    assert_int_equal(create(fixture, &with_record, bound, NULL), OK);
    assert_int_equal(create(fixture, &with_record, revoked, NULL), OK);
    assert_int_equal(create(fixture, &plain, other, NULL), OK);
    assert_int_equal(KEPT(fixture->gate.store, store_session_revoke, revoked, fixture_now), OK);
    fixture_now += 20; /* `gone` has expired */

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    expect_told("%s", "");
    assert_int_equal(put(fixture, "everything", "studio", OTHER), OK);
    expect_told("session %s params_changed\n", bound);
    /* The old content makes the session good again: it is bound to content, not to time. */
    assert_int_equal(put(fixture, "everything", NULL, RECORD), OK);
    expect_told("%s", "");
}

BROKER_TEST(test_record_moved_to_another_surface_revokes)
{
    struct broker_fixture *fixture = *state;
    struct session session;
    char id[TOKEN_ID_SIZE];

    assert_int_equal(put(fixture, "everything", NULL, RECORD), OK);
    assert_int_equal(create(fixture, &with_record, id, NULL), OK);
    assert_int_equal(put(fixture, "everything", "tools", RECORD), OK);
    expect_told("session %s params_changed\n", id);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session.revoked_at, fixture_now);
    session_clear(&session);
}

BROKER_TEST(test_removed_record_cuts_its_sessions)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    char id[TOKEN_ID_SIZE];

    assert_int_equal(RUN(fixture, records_remove(&operation, "everything")), ERROR_NOT_FOUND);
    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    assert_int_equal(create(fixture, &with_record, id, NULL), OK);
    assert_int_equal(RUN(fixture, records_remove(&operation, "everything")), OK);
    expect_told("session %s params_changed\n", id);
    assert_logged(fixture, "params_removed");
}

/* The kill switch. */

BROKER_TEST(test_kill_and_arm)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    bool killed = false;

    assert_int_equal(RUN(fixture, switches_kill(&operation, "nowhere")), ERROR_NOT_FOUND);
    assert_int_equal(RUN(fixture, switches_kill(&operation, "tools")), OK);
    expect_told("surface 1 surface_killed\n");
    assert_true(fixture->gate.surfaces.items[1].killed);
    assert_false(fixture->gate.surfaces.items[0].killed);
    assert_int_equal(store_surface_killed(fixture->gate.store, "tools", &killed), OK);
    assert_true(killed);
    assert_int_equal(RUN(fixture, switches_arm(&operation, "tools")), OK);
    expect_told("%s", "");
    assert_false(fixture->gate.surfaces.items[1].killed);
    assert_int_equal(store_surface_killed(fixture->gate.store, "tools", &killed), OK);
    assert_false(killed);
    assert_logged(fixture, "surface_killed");
    assert_logged(fixture, "surface_armed");
}

/* Its sessions are over, those of others are not; of all, all. */
BROKER_TEST(test_kill_revokes)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct session session;
    char id[TOKEN_ID_SIZE];

    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(RUN(fixture, switches_kill(&operation, "tools")), OK);
    assert_int_equal(operation.way.kill.sessions, 0);
    expect_told("surface 1 surface_killed\n");
    assert_int_equal(RUN(fixture, switches_kill(&operation, NULL)), OK);
    assert_int_equal(operation.way.kill.sessions, 1);
    expect_told("surface 0 surface_killed\nsurface 1 surface_killed\n");
    assert_true(fixture->gate.surfaces.items[0].killed);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session.revoked_at, fixture_now);
    session_clear(&session);
    assert_logged(fixture, "kill_done");
}

/* Until its connections have gone nobody gets in, and it is neither armed nor rehearsed. */
BROKER_TEST(test_while_it_is_cut)
{
    static const struct incarnation worker = {1, 11};
    struct broker_fixture *fixture = *state;
    struct operation kill = begin(fixture), operation = begin(fixture);
    struct gate *gate = &fixture->gate;
    struct surface_state *surface = &gate->surfaces.items[1];
    struct connection_entry entry = {.worker = worker, .connection = 7, .surface = surface};

    assert_int_equal(uv_loop_init(&gate->loop), 0);
    cutting_open(gate);
    for (unsigned rehearsal = 0; rehearsal < 2; rehearsal++) {
        assert_int_equal(connections_add(&gate->connections, &entry), OK);
        ended = 0;
        if (rehearsal == 0)
            switches_rehearse(&kill, "tools");
        else
            switches_kill(&kill, "tools");
        fixture_finish(fixture);
        assert_int_equal(ended, 0);
        assert_true(surface->rehearsing == (rehearsal == 0));
        assert_true(surface->killed == (rehearsal == 1));
        assert_int_equal(RUN(fixture, switches_arm(&operation, "tools")), ERROR_STATE);
        assert_int_equal(RUN(fixture, switches_rehearse(&operation, "studio")), ERROR_STATE);
        ended = 0;
        connections_remove(&gate->connections, connections_find(&gate->connections, worker, 7));
        cutting_look(gate);
        assert_int_equal(ended, 1);
        assert_int_equal(ended_with, OK);
        assert_int_equal(kill.way.kill.cut.connections, 1);
        assert_false(surface->rehearsing);
    }
    assert_true(surface->killed);
    assert_int_equal(RUN(fixture, switches_rehearse(&operation, "tools")), ERROR_STATE);
    assert_int_equal(RUN(fixture, switches_arm(&operation, "tools")), OK);
    assert_false(surface->killed);
    uv_close((uv_handle_t *)&gate->cutting_patience, NULL);
    uv_run(&gate->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&gate->loop), 0);
}

/* The audit log. */

BROKER_TEST(test_no_grant_without_the_log)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct store_params stored;
    char id[TOKEN_ID_SIZE], ticket[TICKET_SIZE];
    int64_t expires_at;
    struct buffer json;
    bool killed = false;

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(RUN(fixture, switches_kill(&operation, "tools")), OK);
    break_audit(fixture);

    assert_int_equal(put(fixture, "another", "studio", OTHER), ERROR_IO);
    assert_int_equal(store_params_get(fixture->gate.store, "another", &stored, NULL),
                     ERROR_NOT_FOUND);
    assert_int_equal(create(fixture, &plain, NULL, NULL), ERROR_IO);
    assert_int_equal(sessions_issue_ticket(&operation, id, ticket, &expires_at), ERROR_IO);
    assert_int_equal(operation.reason, REASON_AUDIT_UNAVAILABLE);
    assert_int_equal(RUN(fixture, switches_arm(&operation, "tools")), ERROR_IO);
    assert_true(fixture->gate.surfaces.items[1].killed);
    assert_int_equal(store_surface_killed(fixture->gate.store, "tools", &killed), OK);
    assert_true(killed);
    buffer_init(&json, FIXTURE_BYTES);
    assert_int_equal(records_get(&operation, "everything", true, &stored, &json), ERROR_IO);
    buffer_wipe(&json);
}

BROKER_TEST(test_taking_away_works_without_the_log)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct session session;
    char id[TOKEN_ID_SIZE];

    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    break_audit(fixture);
    assert_int_equal(RUN(fixture, sessions_revoke(&operation, id)), ERROR_IO);
    expect_told("session %s session_revoked\n", id);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session.revoked_at, fixture_now);
    session_clear(&session);
    assert_int_equal(RUN(fixture, switches_kill(&operation, "studio")), ERROR_IO);
    assert_true(fixture->gate.surfaces.items[0].killed);
    expect_told("surface 0 surface_killed\n");
}

BROKER_TEST(test_no_secret_in_the_log)
{
    struct broker_fixture *fixture = *state;
    char token[TOKEN_BYTES_MAX + 1];

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    assert_int_equal(create(fixture, &with_record, NULL, token), OK);
    assert_logged(fixture, "session_created");
    assert_null(strstr(fixture_audit(fixture), SECRET));
    assert_null(strstr(fixture_audit(fixture), token));
    assert_null(strstr(fixture_audit(fixture), strrchr(token, '.')));
}
