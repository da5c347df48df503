/* operations/sessions.c: sessions and tickets. */
#include "operations_fixture.h"

#include "system/executable.h"

BROKER_TEST(test_session_carries_what_was_asked)
{
    struct broker_fixture *fixture = *state;
    struct wish request = with_record;
    struct token_claims claims;
    struct store_params stored;
    struct session session;
    char id[TOKEN_ID_SIZE], token[TOKEN_BYTES_MAX + 1];

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    assert_int_equal(store_params_get(fixture->gate.store, "everything", &stored, NULL), OK);
    request.session.once = true;
    request.session.callers_set = true;
    request.session.callers[0] = 1000;
    request.session.caller_count = 1;
    request.session.verbs_set = true;
    assert_int_equal(text_list_add(&request.session.verbs, "call_tool", 9), OK);
    assert_int_equal(create(fixture, &request, id, token), OK);

    assert_int_equal(token_verify(store_token_key(fixture->gate.store), span_of(token), "studio",
                                  fixture_now, &claims),
                     REASON_ALLOWED);
    assert_string_equal(claims.session_id, id);
    assert_string_equal(claims.subject, "uid:1234");
    assert_string_equal(claims.params_digest, stored.digest);
    assert_int_equal(claims.expires_at, fixture_now + 60);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session_check(&session, &claims, stored.digest, true, 1000, fixture_now),
                     REASON_ALLOWED);
    assert_int_equal(session_check(&session, &claims, stored.digest, true, 1001, fixture_now),
                     REASON_CALLER_MISMATCH);
    assert_true(session.once);
    assert_int_equal(session.created_by, UID);
    assert_int_equal(session.verbs.count, 1);
    assert_string_equal(session.verbs.items[0], "call_tool");
    assert_false(session.targets_set);
    session_clear(&session);
}

BROKER_TEST(test_session_without_a_record)
{
    struct broker_fixture *fixture = *state;
    struct token_claims claims;
    char token[TOKEN_BYTES_MAX + 1];

    assert_int_equal(create(fixture, &plain, NULL, token), OK);
    assert_int_equal(token_verify(store_token_key(fixture->gate.store), span_of(token), "studio",
                                  fixture_now, &claims),
                     REASON_ALLOWED);
    assert_string_equal(claims.params_digest, "-");
}

BROKER_TEST(test_session_refused)
{
    struct broker_fixture *fixture = *state;
    struct wish request = plain;

    assert_int_equal(put(fixture, "for-tools", "tools", RECORD), OK);
    strcpy(request.session.surface, "nowhere");
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request = plain;
    strcpy(request.session.params_name, "missing");
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    strcpy(request.session.params_name, "for-tools");
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request = plain;
    request.ttl_s = 0;
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request.ttl_s = -5;
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request.ttl_s = SESSION_TTL_MAX_S + 1;
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request.ttl_s = INT64_MAX;
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
    request.ttl_s = SESSION_TTL_MAX_S;
    assert_int_equal(create(fixture, &request, NULL, NULL), OK);
    request = plain;
    request.session.verbs_set = true;
    assert_int_equal(text_list_add(&request.session.verbs, "a\nb", 3), OK);
    assert_int_equal(create(fixture, &request, NULL, NULL), ERROR_INVALID);
}

/* A record may have been kept before the configuration lost its executable. */
BROKER_TEST(test_session_checks_commands_again)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct store_params stored;
    struct session session = with_record.session;
    char *token = NULL;
    static const char old[] = "{\"command\":\"/bin/sh\"}";

    assert_int_equal(KEPT(fixture->gate.store, store_params_put, "everything", "", old,
                          sizeof(old) - 1, fixture_now, &stored),
                     OK);
    assert_int_equal(RUN(fixture, sessions_create(&operation, &session, 60, &token)), ERROR_DENIED);
    assert_int_equal(operation.reason, REASON_EXECUTABLE_REFUSED);
    assert_null(token);
}

/* A reload may remove the surface while the digest of what the record runs is computed. */
BROKER_TEST(test_session_of_a_surface_that_goes)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct session session = with_record.session;
    struct executable_identity identity;
    struct exec_facts facts;
    char *token = NULL, digest[SHA256_HEX_SIZE];
    bool settled;

    assert_int_equal(put(fixture, "everything", "studio", RECORD), OK);
    executable_look("/bin/true", &facts, &identity);
    assert_int_equal(executable_hash(facts.resolved, &identity, digest, &settled), OK);
    fixture->config->executables[0].sha256 = strdup(digest);
    ended = 0;
    sessions_create(&operation, &session, 60, &token);
    assert_int_equal(ended, 0);
    fixture->gate.surfaces.count = 0;
    assert_int_equal(await_end(fixture), ERROR_INVALID);
    assert_null(token);
    fixture->gate.surfaces.count = 2;
}

BROKER_TEST(test_revoke_one)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct session session;
    char id[TOKEN_ID_SIZE];

    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(RUN(fixture, sessions_revoke(&operation, "00")), ERROR_NOT_FOUND);
    expect_told("%s", "");
    assert_int_equal(RUN(fixture, sessions_revoke(&operation, id)), OK);
    expect_told("session %s session_revoked\n", id);
    assert_int_equal(RUN(fixture, sessions_revoke(&operation, id)), OK);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session_ended(&session, fixture_now), REASON_SESSION_REVOKED);
    session_clear(&session);
    assert_logged(fixture, "session_revoked");
}

BROKER_TEST(test_revoke_many)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct wish for_tools = plain;
    size_t count = 0;

    strcpy(for_tools.session.surface, "tools");
    assert_int_equal(create(fixture, &plain, NULL, NULL), OK);
    assert_int_equal(create(fixture, &plain, NULL, NULL), OK);
    assert_int_equal(create(fixture, &for_tools, NULL, NULL), OK);
    assert_int_equal(RUN(fixture, sessions_revoke_all(&operation, "nowhere", &count)),
                     ERROR_NOT_FOUND);
    expect_told("%s", "");
    assert_int_equal(RUN(fixture, sessions_revoke_all(&operation, "tools", &count)), OK);
    assert_int_equal(count, 1);
    expect_told("surface 1 session_revoked\n");
    assert_int_equal(RUN(fixture, sessions_revoke_all(&operation, NULL, &count)), OK);
    assert_int_equal(count, 2);
    expect_told("session * session_revoked\n");
}

BROKER_TEST(test_ticket_needs_a_live_session)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    char id[TOKEN_ID_SIZE], redeemed[TOKEN_ID_SIZE], ticket[TICKET_SIZE];
    int64_t expires_at = 0;

    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(sessions_issue_ticket(&operation, "00", ticket, &expires_at), ERROR_NOT_FOUND);
    assert_int_equal(sessions_issue_ticket(&operation, id, ticket, &expires_at), OK);
    assert_int_equal(expires_at, fixture_now + TICKET_LIFETIME_S);
    assert_true(tickets_redeem(&fixture->gate.tickets, span_of(ticket), fixture_now, redeemed));
    assert_string_equal(redeemed, id);
    assert_null(strstr(fixture_audit(fixture), ticket));
    fixture_now += 60;
    assert_int_equal(sessions_issue_ticket(&operation, id, ticket, &expires_at), ERROR_STATE);
    assert_non_null(strstr(operation.why, "expired"));
}

BROKER_TEST(test_renewal)
{
    struct broker_fixture *fixture = *state;
    struct operation operation = begin(fixture);
    struct token_claims before, claims;
    struct session session;
    char id[TOKEN_ID_SIZE], first[TOKEN_BYTES_MAX + 1];
    char *token = NULL;

    assert_int_equal(create(fixture, &plain, id, first), OK);
    fixture_now += 50;
    assert_int_equal(RUN(fixture, sessions_renew(&operation, id, 100, &session, &token)), OK);
    assert_string_equal(session.id, id);
    assert_int_equal(session.expires_at, fixture_now + 100);
    expect_told("extend %s allowed\n", id);
    assert_logged(fixture, "session_renewed");
    assert_null(strstr(fixture_audit(fixture), token));
    session_clear(&session);

    /* The new token is good beyond the first one's end, the first one at once no longer. */
    assert_int_equal(token_verify(store_token_key(fixture->gate.store), span_of(first), "studio",
                                  fixture_now, &before),
                     REASON_ALLOWED);
    assert_int_equal(token_verify(store_token_key(fixture->gate.store), span_of(token), "studio",
                                  fixture_now + 99, &claims),
                     REASON_ALLOWED);
    free(token);
    assert_int_equal(store_session_get(fixture->gate.store, id, &session), OK);
    assert_int_equal(session_check(&session, &before, "-", false, 0, fixture_now),
                     REASON_SESSION_UNKNOWN);
    assert_int_equal(session_check(&session, &claims, "-", false, 0, fixture_now + 99),
                     REASON_ALLOWED);
    session_clear(&session);
}

static void expect_no_renewal(struct broker_fixture *fixture, const char *id, int64_t ttl_s,
                              enum error error, enum reason reason)
{
    struct operation operation = begin(fixture);
    struct session session;
    char *token = NULL;

    assert_int_equal(RUN(fixture, sessions_renew(&operation, id, ttl_s, &session, &token)), error);
    assert_int_equal(operation.reason, reason);
    assert_true(operation.why[0] != '\0' && token == NULL);
    expect_told("%s", "");
}

BROKER_TEST(test_renewal_refused)
{
    struct broker_fixture *fixture = *state;
    struct wish once = plain;
    char id[TOKEN_ID_SIZE], used[TOKEN_ID_SIZE];

    once.session.once = true;
    assert_int_equal(create(fixture, &plain, id, NULL), OK);
    assert_int_equal(create(fixture, &once, used, NULL), OK);
    assert_int_equal(KEPT(fixture->gate.store, store_session_use, used, fixture_now), OK);
    expect_no_renewal(fixture, "00", 60, ERROR_NOT_FOUND, REASON_INTERNAL);
    expect_no_renewal(fixture, id, 0, ERROR_INVALID, REASON_INTERNAL);
    expect_no_renewal(fixture, id, SESSION_TTL_MAX_S + 1, ERROR_INVALID, REASON_INTERNAL);
    expect_no_renewal(fixture, used, 60, ERROR_STATE, REASON_SESSION_USED);
    fixture_now += 60;
    expect_no_renewal(fixture, id, 60, ERROR_STATE, REASON_SESSION_EXPIRED);
    fixture_now -= 60;
    assert_int_equal(KEPT(fixture->gate.store, store_session_revoke, id, fixture_now), OK);
    expect_no_renewal(fixture, id, 60, ERROR_STATE, REASON_SESSION_REVOKED);
    assert_null(strstr(fixture_audit(fixture), "session_renewed"));
}

TEST(test_session_states)
{
    struct session session = {.expires_at = 100};

    assert_int_equal(session_ended(&session, 99), REASON_ALLOWED);
    assert_int_equal(session_ended(&session, 100), REASON_SESSION_EXPIRED);
    session.used_at = 50;
    assert_int_equal(session_ended(&session, 99), REASON_ALLOWED);
    session.once = true;
    assert_int_equal(session_ended(&session, 99), REASON_SESSION_USED);
    session.revoked_at = 60;
    assert_int_equal(session_ended(&session, 99), REASON_SESSION_REVOKED);
}
