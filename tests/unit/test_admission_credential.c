/* admission.c: the one credential of a request. */
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
    struct request request = {
        .authorization = authorization, .subprotocols = subprotocols, .upgrade = true};
    struct credential found = {0};

    expect(admission_credential(&request, &found), REASON_ALLOWED);
    assert_int_equal(found.kind, kind);
    assert_true(span_equals(found.bytes, bytes));
}

static void expect_no_credential(const char *authorization, const char *subprotocols,
                                 enum reason reason)
{
    struct request request = {
        .authorization = authorization, .subprotocols = subprotocols, .upgrade = true};
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

/* Only an upgrade may show one: plain HTTP has a header for that. */
TEST(test_ticket_of_a_plain_request)
{
    struct request request = {.subprotocols = "mcp, sidelock.ticket.T0"};
    struct credential found = {0};

    expect(admission_credential(&request, &found), REASON_CREDENTIAL_MISSING);
    assert_int_equal(found.kind, CREDENTIAL_NONE);
    request.authorization = "Bearer a";
    expect(admission_credential(&request, &found), REASON_ALLOWED);
    assert_int_equal(found.kind, CREDENTIAL_BEARER);
}

/* A browser sends its cookie with everything: it counts only where nothing else is shown. */
TEST(test_cookie)
{
    struct request request = {.cookie = "c", .upgrade = true};
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
