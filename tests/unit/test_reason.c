/* reason.c: the published table is complete and consistent. */
#include "base/reason.h"

#include "unit.h"
#include "wire/ws_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

TEST(test_zero_refuses)
{
    enum reason zero = (enum reason)0;

    assert_false(reason_allows(zero));
    assert_int_equal(zero, REASON_INTERNAL);
    for (int reason = 0; reason < REASON_COUNT; reason++)
        assert_int_equal(reason_allows((enum reason)reason), reason == REASON_ALLOWED);
}

/* What has one code is told apart by its cause, and is answered with one status and close code. */
static void check_pair(const struct reason_info *one, const struct reason_info *other)
{
    if (strcmp(one->code, other->code) != 0)
        return;
    assert_non_null(one->cause);
    if (other->cause != NULL)
        assert_string_not_equal(one->cause, other->cause);
    assert_string_not_equal(one->text, other->text);
    assert_int_equal(one->http_status, other->http_status);
    assert_int_equal(one->close_code, other->close_code);
}

TEST(test_rows)
{
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const struct reason_info *info = reason_info((enum reason)reason);
        size_t length = strlen(info->code);

        assert_true(length > 0 &&
                    strspn(info->code, "abcdefghijklmnopqrstuvwxyz_0123456789") == length);
        assert_true(info->cause == NULL ||
                    strspn(info->cause, "abcdefghijklmnopqrstuvwxyz_0123456789") ==
                        strlen(info->cause));
        /* It is put between quotes as it is. */
        assert_null(strpbrk(info->text, "\"\\"));
        assert_true(strlen(info->text) > 0 && info->text[strlen(info->text) - 1] != '.');
        for (int other = 0; other < reason; other++)
            check_pair(info, reason_info((enum reason)other));
        /* A cause stands below its reason. */
        if (info->cause != NULL)
            assert_true(reason_same((enum reason)reason, (enum reason)(reason - 1)));
    }
}

/* The statuses and close codes that the contract names, and none besides. */
TEST(test_numbers)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 405, 411, 413, 415,
                                        426, 429, 431, 500, 502, 503, 504};

    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const struct reason_info *info = reason_info((enum reason)reason);
        bool known = info->http_status == 0;

        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
            known = known || info->http_status == statuses[i];
        if (!known || (info->close_code != 0 && !ws_close_code_valid(info->close_code)))
            fail_msg("%s: %u, %u", info->code, info->http_status, info->close_code);
        /* Every refusal can be told to somebody. */
        assert_int_equal(info->http_status == 0 && info->close_code == 0, reason == REASON_ALLOWED);
    }
}

/* The numbers that the contract promises by name. */
TEST(test_contract)
{
    static const struct {
        enum reason reason;
        unsigned status, close_code;
    } rows[] = {
        {REASON_MALFORMED, 400, 0},
        {REASON_CREDENTIAL_MISSING, 401, 0},
        {REASON_TOKEN_IN_QUERY, 401, 0},
        {REASON_SESSION_REVOKED, 401, 1008},
        {REASON_SESSION_EXPIRED, 401, 1008},
        {REASON_ORIGIN_MISMATCH, 403, 0},
        {REASON_HOST_MISMATCH, 403, 0},
        {REASON_CALLER_MISMATCH, 403, 0},
        {REASON_ROUTE_UNKNOWN, 404, 0},
        {REASON_METHOD_REFUSED, 405, 0},
        {REASON_LENGTH_REQUIRED, 411, 0},
        {REASON_HEADERS_TOO_LARGE, 431, 0},
        {REASON_SURFACE_KILLED, 503, 1008},
        {REASON_CAPACITY, 503, 1013},
        {REASON_DRAINING, 503, 1001},
        {REASON_UPSTREAM_UNREACHABLE, 502, 1014},
        {REASON_UPSTREAM_TIMEOUT, 504, 1014},
        {REASON_BINARY_REFUSED, 0, 1003},
        {REASON_MESSAGE_TOO_BIG, 413, 1009},
        {REASON_JSON_UTF8, 400, 1007},
        {REASON_JSON_DUPLICATE_KEY, 400, 1007},
        {REASON_TARGET_REFUSED, 403, 1008},
        {REASON_INTERNAL, 500, 1011},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct reason_info *info = reason_info(rows[i].reason);

        assert_int_equal(info->http_status, rows[i].status);
        assert_int_equal(info->close_code, rows[i].close_code);
    }
}

TEST(test_out_of_range)
{
    assert_ptr_equal(reason_info(REASON_COUNT), reason_info(REASON_INTERNAL));
    assert_ptr_equal(reason_info((enum reason)(REASON_COUNT + 1000)), reason_info(REASON_INTERNAL));
}
