/* admission.c: the one credential of a request, and tokens where none may be. */
#include "policy/admission.h"
#include "policy/token.h"
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

static void expect(enum reason given, enum reason wanted)
{
    assert_string_equal(reason_info(given)->code, reason_info(wanted)->code);
}

static void expect_credential(const char *authorization, const char *subprotocols,
                              enum credential_kind kind, const char *bytes)
{
    struct request request = {.authorization = authorization, .subprotocols = subprotocols};
    struct credential found = {0};

    expect(admission_credential(&request, &found), REASON_ALLOWED);
    assert_int_equal(found.kind, kind);
    assert_true(span_equals(found.bytes, bytes));
}

static void expect_no_credential(const char *authorization, const char *subprotocols,
                                 enum reason reason)
{
    struct request request = {.authorization = authorization, .subprotocols = subprotocols};
    struct credential found = {0};

    expect(admission_credential(&request, &found), reason);
    assert_int_equal(found.kind, CREDENTIAL_NONE);
}

TEST(test_credentials)
{
    expect_credential("Bearer a.b.c", NULL, CREDENTIAL_BEARER, "a.b.c");
    expect_credential("bearer a.b.c", NULL, CREDENTIAL_BEARER, "a.b.c");
    expect_credential("BEARER a.b.c", "mcp, other", CREDENTIAL_BEARER, "a.b.c");
    expect_credential("Bearer  a", NULL, CREDENTIAL_BEARER, " a"); /* no token begins so */
    expect_credential("Bearer a, Bearer b", NULL, CREDENTIAL_BEARER, "a, Bearer b");
    expect_credential(NULL, "sidelock.ticket.T0", CREDENTIAL_TICKET, "T0");
    expect_credential(NULL, "mcp,\tsidelock.ticket.T0 ,x", CREDENTIAL_TICKET, "T0");
    expect_credential(NULL, "sidelock.ticket.", CREDENTIAL_TICKET, "");

    expect_no_credential(NULL, NULL, REASON_CREDENTIAL_MISSING);
    expect_no_credential(NULL, "", REASON_CREDENTIAL_MISSING);
    expect_no_credential(NULL, "mcp", REASON_CREDENTIAL_MISSING);
    expect_no_credential(NULL, "sidelock.ticket", REASON_CREDENTIAL_MISSING);
    expect_no_credential(NULL, "Sidelock.Ticket.T0", REASON_CREDENTIAL_MISSING);
    expect_no_credential(NULL, "xsidelock.ticket.T0", REASON_CREDENTIAL_MISSING);
    expect_no_credential("", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Bearer", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Bearer ", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Bearer\ta", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Bearera.b.c", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("a.b.c", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Basic dXNlcjpzZWNyZXQ=", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Token a.b.c", NULL, REASON_TOKEN_MALFORMED);
    expect_no_credential("Bearer a", "sidelock.ticket.T0", REASON_CREDENTIAL_AMBIGUOUS);
    expect_no_credential(NULL, "sidelock.ticket.T0, sidelock.ticket.T0",
                         REASON_CREDENTIAL_AMBIGUOUS);
    expect_no_credential(NULL, "sidelock.ticket.T0,mcp,sidelock.ticket.T1",
                         REASON_CREDENTIAL_AMBIGUOUS);
    /* A second credential of another kind does not make the first one good. */
    expect_no_credential("Basic x", "sidelock.ticket.T0", REASON_TOKEN_MALFORMED);
}

static void expect_cookie(const struct request *request, enum credential_kind kind,
                          const char *bytes)
{
    struct credential found = {0};

    expect(admission_credential(request, &found), REASON_ALLOWED);
    assert_int_equal(found.kind, kind);
    assert_true(span_equals(found.bytes, bytes));
}

/* A browser sends its cookie with everything: it counts only where nothing else is shown. */
TEST(test_cookie)
{
    struct request request = {.cookie = "c"};
    struct credential found = {0};

    expect_cookie(&request, CREDENTIAL_COOKIE, "c");
    request.subprotocols = "mcp";
    expect_cookie(&request, CREDENTIAL_COOKIE, "c");
    request.subprotocols = "mcp, sidelock.ticket.T0";
    expect_cookie(&request, CREDENTIAL_TICKET, "T0");
    request.authorization = "Bearer a";
    expect(admission_credential(&request, &found), REASON_CREDENTIAL_AMBIGUOUS);
    request.subprotocols = NULL;
    expect_cookie(&request, CREDENTIAL_BEARER, "a");
    request.authorization = "Basic a";
    expect(admission_credential(&request, &found), REASON_TOKEN_MALFORMED);
    assert_int_equal(found.kind, CREDENTIAL_NONE);
}

static char *mint(void)
{
    static const unsigned char bytes[SECRET_KEY_BYTES] = {1};
    struct token_claims claims = {.subject = "uid:1000",
                                  .surface = "studio",
                                  .session_id = "00112233445566778899aabbccddeeff",
                                  .token_id = "ffeeddccbbaa99887766554433221100",
                                  .params_digest = "-",
                                  .issued_at = NOW,
                                  .not_before = NOW,
                                  .expires_at = NOW + 900};
    struct secret_key *key;
    char *token;

    assert_int_equal(secret_key_from_bytes(bytes, &key), OK);
    assert_int_equal(token_mint(key, &claims, &token), OK);
    secret_key_destroy(key);
    return token;
}

TEST(test_token_in_query)
{
    static const char *const hiding[] = {
        "%s",
        "token=%s",
        "access_token=%s",
        "a=1&b=%s&c=2",
        "%s=1",
        "a=1&%s",
        "&&=%s",
        "token=Bearer+%s",
        "a=Bearer%%20%s",
        "p={\"token\":\"%s\"}",
        "p=%%7B%%22t%%22:%%22%s%%22%%7D",
        "a=1;token=%s",
        "token=%s%%20",
        "a=b=%s",
        "token=%%2F%s",
    };
    char *token = mint(), query[TOKEN_BYTES_MAX + 64], found[TOKEN_BYTES_MAX + 1];

    for (size_t i = 0; i < sizeof(hiding) / sizeof(hiding[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(query, sizeof(query), hiding[i], token);
#pragma GCC diagnostic pop
        if (!admission_token_in_query(query, found, sizeof(found)))
            fail_msg("not found: %s", hiding[i]);
        assert_string_equal(found, token);
    }
    /* Every byte of it percent-encoded. */
    strcpy(query, "t=");
    for (size_t i = 0; i < 40; i++)
        snprintf(query + 2 + 3 * i, 4, "%%%02x", (unsigned)token[i]);
    strcat(query, token + 40);
    assert_true(admission_token_in_query(query, found, sizeof(found)));
    assert_string_equal(found, token);
    free(token);
}

TEST(test_no_token_in_query)
{
    static const char *const queries[] = {
        "",
        "token=null",
        "token=",
        "server_params=eyJ0eXBlIjoiU3RkaW9TZXJ2ZXJQYXJhbXMifQ==",
        "token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30",
        "token=eyJhbGciOiJub25lIn0.e30.",
        "a=%00&b=%zz&c=%",
        "a.b.c",
    };
    char *token = mint(), found[TOKEN_BYTES_MAX + 1];

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        assert_false(admission_token_in_query(queries[i], found, sizeof(found)));
    assert_false(admission_token_in_query(NULL, found, sizeof(found)));
    token[strlen(token) - 1] = '\0'; /* a signature too short */
    assert_false(admission_token_in_query(token, found, sizeof(found)));
    free(token);
}
