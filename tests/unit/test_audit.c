/* audit.c: what is written is a line of the chain, whatever is in it and whatever fails. */
#include "audit_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

AUDIT_TEST(test_a_line)
{
    struct fixture *fixture = *state;
    struct stat facts;
    size_t length;
    char *bytes;
    json_t *line;

    audit_begin(fixture->audit, "admitted");
    audit_text(fixture->audit, "surface", "studio");
    audit_text(fixture->audit, "absent", NULL);
    audit_bytes(fixture->audit, "origin", "http://\xff\"\n\0evil", 15);
    audit_number(fixture->audit, "uid", -5);
    audit_number(fixture->audit, "large", INT64_MIN);
    audit_flag(fixture->audit, "once", true);
    audit_flag(fixture->audit, "observed", false);
    audit_reason(fixture->audit, REASON_ALLOWED);
    assert_int_equal(audit_commit(fixture->audit), OK);

    bytes = read_file(fixture->path, &length);
    assert_memory_equal(bytes, "{\"seq\":1,\"time\":\"20", 19);
    assert_memory_equal(bytes + length - 2, "}\n", 3);
    free(bytes);
    line = line_at(fixture, 1);
    assert_int_equal(json_object_size(line), 11);
    assert_int_equal(strlen(text_of(line, "time")), strlen("2026-01-02T03:04:05.678Z"));
    assert_string_equal(text_of(line, "event"), "admitted");
    assert_string_equal(text_of(line, "surface"), "studio");
    assert_int_equal(json_integer_value(json_object_get(line, "uid")), -5);
    assert_true(json_integer_value(json_object_get(line, "large")) == INT64_MIN);
    assert_true(json_is_true(json_object_get(line, "once")));
    assert_true(json_is_false(json_object_get(line, "observed")));
    assert_string_equal(text_of(line, "reason"), "allowed");
    assert_string_equal(text_of(line, "prev"), ZEROS);
    json_decref(line);
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    expect_intact(fixture, 1);
}

AUDIT_TEST(test_chain_goes_on_after_reopening)
{
    struct fixture *fixture = *state;
    json_t *line;

    expect_intact(fixture, 0);
    add_lines(fixture, 3);
    close_log(fixture);
    open_log(fixture);
    add_lines(fixture, 3);
    assert_int_equal(audit_reopen(fixture->audit), OK);
    add_lines(fixture, 1);
    expect_intact(fixture, 7);
    line = line_at(fixture, 7);
    assert_int_equal(json_integer_value(json_object_get(line, "seq")), 7);
    json_decref(line);
}

AUDIT_TEST(test_rotation)
{
    struct fixture *fixture = *state;
    struct audit_verdict first, second;
    char moved[400];

    snprintf(moved, sizeof(moved), "%s.1", fixture->path);
    add_lines(fixture, 3);
    assert_int_equal(rename(fixture->path, moved), 0);
    add_lines(fixture, 1); /* still to the file that was moved */
    assert_int_equal(audit_reopen(fixture->audit), OK);
    add_lines(fixture, 2);
    first = verify(moved);
    second = verify(fixture->path);
    assert_true(first.intact && second.intact);
    assert_int_equal(first.lines, 4);
    assert_int_equal(second.lines, 2);
    assert_string_equal(first.first_prev, ZEROS);
    assert_string_equal(first.last_digest, second.first_prev);
}

AUDIT_TEST(test_reopen_fails)
{
    struct fixture *fixture = *state;
    char moved[400];

    snprintf(moved, sizeof(moved), "%s.1", fixture->path);
    add_lines(fixture, 1);
    assert_int_equal(rename(fixture->path, moved), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_int_equal(audit_reopen(fixture->audit), ERROR_IO);
    add_lines(fixture, 1); /* the old file stays in use */
    assert_int_equal(rmdir(fixture->path), 0);
    assert_int_equal(rename(moved, fixture->path), 0);
    expect_intact(fixture, 2);
}

AUDIT_TEST(test_long_values_are_cut)
{
    struct fixture *fixture = *state;
    char value[AUDIT_VALUE_BYTES_MAX + 100];
    const char *cut;
    json_t *line;

    /* Three-byte characters, so that the cut would fall inside one. */
    for (size_t i = 0; i + 3 <= sizeof(value); i += 3)
        memcpy(value + i, "\xe2\x82\xac", 3);
    audit_begin(fixture->audit, "denied");
    audit_bytes(fixture->audit, "path", value, sizeof(value) - 2);
    audit_number(fixture->audit, "after", 1);
    assert_int_equal(audit_commit(fixture->audit), OK);
    line = line_at(fixture, 1);
    cut = text_of(line, "path");
    assert_int_equal(strlen(cut), AUDIT_VALUE_BYTES_MAX / 3 * 3 + 3);
    assert_string_equal(cut + strlen(cut) - 6, "\xe2\x82\xac\xe2\x80\xa6");
    assert_null(strstr(cut, "\xef\xbf\xbd"));
    assert_int_equal(json_integer_value(json_object_get(line, "after")), 1);
    json_decref(line);
    /* Exactly as long as it may be: whole. */
    memset(value, 'v', sizeof(value));
    audit_begin(fixture->audit, "denied");
    audit_bytes(fixture->audit, "path", value, AUDIT_VALUE_BYTES_MAX);
    assert_int_equal(audit_commit(fixture->audit), OK);
    line = line_at(fixture, 2);
    assert_int_equal(strlen(text_of(line, "path")), AUDIT_VALUE_BYTES_MAX);
    json_decref(line);
    expect_intact(fixture, 2);
}

/* Values that grow sixfold by escaping cannot push the end of the line out. */
AUDIT_TEST(test_long_lines_are_cut)
{
    struct fixture *fixture = *state;
    char value[AUDIT_VALUE_BYTES_MAX], name[16];
    size_t length;
    json_t *line;

    memset(value, '\x01', sizeof(value));
    audit_begin(fixture->audit, "denied");
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        audit_bytes(fixture->audit, name, value, sizeof(value));
    }
    audit_reason(fixture->audit, REASON_ORIGIN_MISMATCH);
    assert_int_equal(audit_commit(fixture->audit), OK);
    free(read_file(fixture->path, &length));
    assert_true(length <= AUDIT_LINE_BYTES_MAX);
    line = line_at(fixture, 1);
    assert_non_null(text_of(line, "v1"));
    assert_null(text_of(line, "v9"));
    assert_string_equal(text_of(line, "reason"), "origin_mismatch");
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
    audit_begin(fixture->audit, "denied");
    for (int i = 0; i < 2 * AUDIT_FIELDS_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        audit_number(fixture->audit, name, i);
    }
    assert_int_equal(audit_commit(fixture->audit), OK);
    line = line_at(fixture, 2);
    assert_int_equal(json_object_size(line), AUDIT_FIELDS_MAX + 5);
    json_decref(line);
    expect_intact(fixture, 2);
}

/* Lines of every length around the limit: each can be ended. */
AUDIT_TEST(test_lines_just_below_the_limit)
{
    struct fixture *fixture = *state;
    char value[AUDIT_VALUE_BYTES_MAX], name[16];
    unsigned lines = 0;

    memset(value, 'v', sizeof(value));
    for (size_t last = 400; last <= 1000; last += 5) {
        audit_begin(fixture->audit, "denied");
        for (int i = 0; i < 15; i++) {
            snprintf(name, sizeof(name), "v%d", i);
            audit_bytes(fixture->audit, name, value, sizeof(value));
        }
        audit_bytes(fixture->audit, "w", value, last);
        assert_int_equal(audit_commit(fixture->audit), OK);
        lines++;
    }
    assert_true(lines > 100);
    expect_intact(fixture, lines);
}

/* A mistake of a caller must not make a line that nobody can read back. */
AUDIT_TEST(test_a_name_twice)
{
    static const char *const taken[] = {"seq", "time", "event", "prev", "x"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        audit_begin(fixture->audit, "denied");
        audit_text(fixture->audit, "x", "1");
        audit_text(fixture->audit, taken[i], "2");
        assert_int_equal(audit_commit(fixture->audit), ERROR_INVALID);
        add_lines(fixture, 1);
    }
    expect_intact(fixture, 5);
}

/* A disk that takes no more: an error, then the chain goes on as if nothing had been. */
AUDIT_TEST(test_failed_write)
{
    struct fixture *fixture = *state;
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit = unlimited;
    struct audit_verdict verdict;
    struct stat facts;
    json_t *line;

    signal(SIGXFSZ, SIG_IGN);
    add_lines(fixture, 2);
    for (rlim_t room = 0; room < 100; room += 33) {
        assert_int_equal(stat(fixture->path, &facts), 0);
        limit.rlim_cur = (rlim_t)facts.st_size + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(add(fixture, 1), ERROR_IO);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
        assert_int_equal(add(fixture, 2), OK);
    }
    /* Each time the next line is preceded by one that says that one was lost. */
    verdict = verify(fixture->path);
    assert_false(verdict.intact);
    assert_int_equal(verdict.lines, 10);
    assert_int_equal(verdict.lost, 4);
    assert_int_equal(verdict.bad_line, 3);
    assert_int_equal(audit_lost(fixture->audit), 4);
    assert_false(audit_failing(fixture->audit));
    line = line_at(fixture, 3);
    assert_string_equal(text_of(line, "event"), "audit_lost");
    assert_int_equal(json_integer_value(json_object_get(line, "count")), 1);
    assert_int_equal(strlen(text_of(line, "since")), strlen("2026-01-02T03:04:05Z"));
    json_decref(line);
    signal(SIGXFSZ, SIG_DFL);
}

/* ---- Lines that are written together ---- */

static void add_later(struct fixture *fixture, int count)
{
    for (int i = 0; i < count; i++) {
        audit_begin(fixture->audit, "message_refused");
        audit_number(fixture->audit, "number", i);
        assert_int_equal(audit_commit_later(fixture->audit), OK);
    }
}

AUDIT_TEST(test_together)
{
    struct fixture *fixture = *state;

    add_lines(fixture, 1);
    add_later(fixture, 3);
    expect_intact(fixture, 1);
    assert_int_equal(audit_sequence(fixture->audit), 1);
    assert_int_equal(audit_head(fixture->audit).sequence, 1);
    audit_flush(fixture->audit);
    expect_intact(fixture, 4);
    assert_int_equal(audit_head(fixture->audit).sequence, 4);
    /* A line on which something hangs brings those before it along. */
    add_later(fixture, 2);
    add_lines(fixture, 1);
    expect_intact(fixture, 7);
    audit_flush(fixture->audit);
    expect_intact(fixture, 7);
    /* So do a rotation and the end. */
    add_later(fixture, 1);
    assert_int_equal(audit_reopen(fixture->audit), OK);
    expect_intact(fixture, 8);
    add_later(fixture, 1);
    close_log(fixture);
    expect_intact(fixture, 9);
    open_log(fixture);
    add_lines(fixture, 1);
    expect_intact(fixture, 10);
}

/* More than is kept is written before. */
AUDIT_TEST(test_together_many)
{
    struct fixture *fixture = *state;

    add_later(fixture, 3000);
    assert_in_range(audit_sequence(fixture->audit), 1, 2999);
    audit_flush(fixture->audit);
    expect_intact(fixture, 3000);
}

/* None is lost silently: what could not be written together is counted, every line of it. */
AUDIT_TEST(test_together_failed)
{
    struct fixture *fixture = *state;
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit = unlimited;
    struct audit_verdict verdict;
    struct stat facts;

    signal(SIGXFSZ, SIG_IGN);
    add_lines(fixture, 2);
    add_later(fixture, 5);
    assert_int_equal(stat(fixture->path, &facts), 0);
    limit.rlim_cur = (rlim_t)facts.st_size + 300; /* one of them would fit, five do not */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    audit_flush(fixture->audit);
    assert_int_equal(audit_lost(fixture->audit), 5);
    assert_true(audit_failing(fixture->audit));
    add_later(fixture, 2);
    assert_int_equal(add(fixture, 1), ERROR_IO);
    assert_int_equal(audit_lost(fixture->audit), 8);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(add(fixture, 2), OK);
    verdict = verify(fixture->path);
    assert_int_equal(verdict.lines, 5); /* two of them say what was lost, as soon as they fit */
    assert_int_equal(verdict.lost, 8);
    assert_false(audit_failing(fixture->audit));
    signal(SIGXFSZ, SIG_DFL);
}
