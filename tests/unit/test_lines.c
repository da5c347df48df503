/* lines.c: how many lines a client gets, and what is said of the rest. */
#include "broker/core/lines.h"

#include "audit_fixture.h"

static unsigned write_many(struct lines *lines, struct fixture *fixture,
                           const struct lines_client *client, unsigned count, uint64_t now_ms)
{
    unsigned written = 0;

    for (unsigned i = 0; i < count; i++)
        written += lines_may(lines, fixture->audit, "denied", client, now_ms) ? 1 : 0;
    return written;
}

AUDIT_TEST(test_a_burst_is_written_and_the_rest_counted)
{
    const struct lines_client client = lines_client(NULL, true, 1000);
    struct lines lines = {0};
    json_t *line;

    assert_int_equal(write_many(&lines, *state, &client, LINES_BURST + 7, 5000), LINES_BURST);
    assert_int_equal(lines.suppressed, 7);
    lines_tell(&lines, ((struct fixture *)*state)->audit, LINES_PLACES);
    lines_tell(&lines, ((struct fixture *)*state)->audit, LINES_PLACES); /* once */
    line = line_at(*state, 1);
    assert_string_equal(text_of(line, "event"), "denied_suppressed");
    assert_int_equal(json_integer_value(json_object_get(line, "count")), 7);
    assert_int_equal(json_integer_value(json_object_get(line, "uid")), 1000);
    json_decref(line);
    expect_intact(*state, 1);
}

AUDIT_TEST(test_time_pays_back)
{
    const struct lines_client client = lines_client("session", false, 0);
    struct lines lines = {0};
    json_t *line;

    write_many(&lines, *state, &client, LINES_BURST, 5000);
    assert_int_equal(write_many(&lines, *state, &client, 1, 5000), 0);
    assert_int_equal(write_many(&lines, *state, &client, 1000, 6000), LINES_PER_SECOND);
    line = line_at(*state, 1); /* before the first that was written again */
    assert_int_equal(json_integer_value(json_object_get(line, "count")), 1);
    assert_string_equal(text_of(line, "session"), "session");
    assert_null(json_object_get(line, "uid"));
    json_decref(line);
    assert_int_equal(write_many(&lines, *state, &client, 2 * LINES_BURST, 6000000), LINES_BURST);
}

AUDIT_TEST(test_a_flood_is_held_to_the_rate)
{
    const struct lines_client client = lines_client(NULL, false, 0);
    struct lines lines = {0};
    unsigned written = 0;

    for (uint64_t now_ms = 0; now_ms < 10000; now_ms += 10)
        written += write_many(&lines, *state, &client, 10, now_ms);
    assert_in_range(written, LINES_BURST + 9 * LINES_PER_SECOND,
                    LINES_BURST + 10 * LINES_PER_SECOND);
    assert_int_equal(written + lines.suppressed, 10000);
}

/* What one client causes takes nothing from another, nor from its own other events. */
AUDIT_TEST(test_clients_and_events_apart)
{
    const struct lines_client clients[] = {lines_client("a", true, 1), lines_client("b", true, 1),
                                           lines_client("", true, 1), lines_client(NULL, true, 2),
                                           lines_client("", false, 1)};
    struct fixture *fixture = *state;
    struct lines lines = {0};

    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
        assert_int_equal(write_many(&lines, fixture, &clients[i], LINES_BURST + 1, 0), LINES_BURST);
    assert_true(lines_may(&lines, fixture->audit, "closed", &clients[0], 0));
    assert_int_equal(lines.suppressed, 5);
}

/* More clients than places: they share the last, so that all together are bounded, and counted. */
AUDIT_TEST(test_many_clients)
{
    struct fixture *fixture = *state;
    struct lines lines = {0};
    unsigned written = 0;
    uint64_t told = 0;

    for (uint32_t uid = 1; uid <= 2000; uid++) {
        const struct lines_client client = lines_client(NULL, true, uid);

        written += write_many(&lines, fixture, &client, LINES_BURST, 0);
    }
    assert_true(written <= (LINES_STRANGERS_MAX + 1) * LINES_BURST);
    assert_int_equal(written + lines.suppressed, 2000 * LINES_BURST);
    lines_tell(&lines, fixture->audit, LINES_PLACES);
    for (unsigned i = 1; i <= verify(fixture->path).lines; i++) {
        json_t *line = line_at(fixture, i);

        told += (uint64_t)json_integer_value(json_object_get(line, "count"));
        json_decref(line);
    }
    assert_int_equal(told, lines.suppressed);
    /* Whoever has been quiet for long gives its place to others. */
    for (uint32_t uid = 3000; uid < 3010; uid++) {
        const struct lines_client client = lines_client(NULL, true, uid);

        assert_int_equal(write_many(&lines, fixture, &client, LINES_BURST, 10000000), LINES_BURST);
    }
}
