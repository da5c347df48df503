/* admission.c: what is different on a surface that speaks TLS. */
#include "policy/admission.h"

#include "unit.h"

#include <stdint.h>
#include <string.h>

#define LISTED   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UNLISTED "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

static const struct admission_listener high = {"127.0.0.1", 8443};
static const struct admission_listener https = {"127.0.0.1", 443};
static const struct admission_listener http = {"127.0.0.1", 80};

static struct surface_tls tls;

static void expect(enum reason given, enum reason wanted)
{
    assert_string_equal(reason_info(given)->code, reason_info(wanted)->code);
}

TEST(test_origin)
{
    const struct surface surface = {.tls = &tls};

    expect(admission_origin(&surface, &high, NULL), REASON_ALLOWED);
    expect(admission_origin(&surface, &high, "https://localhost:8443"), REASON_ALLOWED);
    expect(admission_origin(&surface, &high, "https://[::1]:8443"), REASON_ALLOWED);
    expect(admission_origin(&surface, &https, "https://localhost"), REASON_ALLOWED);
    expect(admission_origin(&surface, &https, "https://localhost:443"), REASON_ALLOWED);
    expect(admission_origin(&surface, &high, "http://localhost:8443"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &high, "https://localhost"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &high, "HTTPS://localhost:8443"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &high, "https://attacker.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &high, "null"), REASON_ORIGIN_MISMATCH);
}

/* A page of a plain surface is no page of this one, and the other way round. */
TEST(test_origin_of_plain)
{
    const struct surface surface = {.tls = NULL};

    expect(admission_origin(&surface, &high, "http://localhost:8443"), REASON_ALLOWED);
    expect(admission_origin(&surface, &high, "https://localhost:8443"), REASON_ORIGIN_MISMATCH);
}

TEST(test_host)
{
    const struct surface secure = {.tls = &tls}, plain = {.tls = NULL};

    expect(admission_host(&secure, &high, "localhost:8443"), REASON_ALLOWED);
    expect(admission_host(&secure, &https, "localhost"), REASON_ALLOWED);
    expect(admission_host(&secure, &https, "[::1]"), REASON_ALLOWED);
    expect(admission_host(&secure, &http, "localhost"), REASON_HOST_MISMATCH);
    expect(admission_host(&secure, &http, "localhost:80"), REASON_ALLOWED);
    expect(admission_host(&plain, &https, "localhost"), REASON_HOST_MISMATCH);
    expect(admission_host(&plain, &http, "localhost"), REASON_ALLOWED);
}

TEST(test_certificates)
{
    char listed[] = LISTED;
    char *items[] = {listed};
    uint32_t uids[] = {1000};
    struct surface surface = {.tls = &tls, .caller_certificates = {.items = items, .count = 1}};
    struct request request = {.caller_known = true, .caller_uid = 1000, .secure = true};

    expect(admission_caller(&surface, &request), REASON_CERTIFICATE_REFUSED);
    request.certificate = "";
    expect(admission_caller(&surface, &request), REASON_CERTIFICATE_REFUSED);
    request.certificate = UNLISTED;
    expect(admission_caller(&surface, &request), REASON_CERTIFICATE_REFUSED);
    request.certificate = LISTED;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_known = false; /* no rule about users */
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    /* With both rules, one of them is not enough. */
    surface.caller_uids = uids;
    surface.caller_uid_count = 1;
    surface.callers_named = true;
    expect(admission_caller(&surface, &request), REASON_CALLER_UNKNOWN);
    request.caller_known = true;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_uid = 1001;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    request.caller_uid = 1000;
    request.certificate = NULL;
    expect(admission_caller(&surface, &request), REASON_CERTIFICATE_REFUSED);
}
