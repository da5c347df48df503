/* What a service wrote, as the few places that are named; and what is taken of what is told. */
#include "cli/wrap/learnt.h"
#include "cli/wrap/lesson.h"
#include "cli/wrap/policy.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEVELS 580 /* of seven bytes each: almost PATH_MAX */

/* Paths with spaces between them. */
static struct text_list split(const char *text)
{
    struct text_list list = {NULL, 0};
    struct span rest = span_of(text);

    while (rest.data != NULL) {
        struct span word = span_split(&rest, ' ');

        if (word.length > 0)
            assert_int_equal(text_list_add(&list, word.data, word.length), OK);
    }
    return list;
}

static void join(const struct text_list *list, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < list->count; i++)
        length +=
            (size_t)snprintf(out + length, size - length, "%s%s", i > 0 ? " " : "", list->items[i]);
}

static const struct {
    const char *changed, *entries, *made, *spans, *guarded, *writable, *left_out;
    bool temporary;
} cases[] = {
    {"", "", "", "", "", "", "", false},
    /* a file that is changed in place, and not what is beside it */
    {"/srv/a/file", "", "", "", "", "/srv/a/file", "", false},
    {"/srv/a/file", "/srv/a", "", "", "", "/srv/a", "", false},
    {"/srv/ab", "/srv/a", "", "", "", "/srv/a /srv/ab", "", false},
    /* what it made is where it made it */
    {"/srv/a/new/file", "/srv/a /srv/a/new /srv/a/new/er", "/srv/a/new", "", "", "/srv/a", "",
     false},
    /* temporary */
    {"", "/tmp", "", "", "", "", "", true},
    {"/tmp/x/file", "/tmp /tmp/x /dev/shm", "/tmp/x", "", "", "", "", true},
    {"", "/tmp/data", "", "", "", "/tmp/data", "", false},
    {"", "/tmp /tmp/data", "", "", "", "/tmp", "", true},
    {"", "/var/tmp /tmp/data", "", "", "", "/tmp/data", "", true},
    /* moved from one to the other */
    {"", "/srv/d/a /srv/d/b", "", "/srv/d", "", "/srv/d", "", false},
    {"", "/srv/a /opt/b", "", "/", "", "/opt/b /srv/a", "", false},
    {"", "/srv/a /srv/b", "", "/srv", "", "/srv/a /srv/b", "", false},
    {"", "/srv/d/a /srv/d/b", "", "/srv/d", "/srv/d/program", "/srv/d/a /srv/d/b", "", false},
    /* many beside each other stand for those that come */
    {"", "/srv/o/01 /srv/o/7f /srv/o/a0 /srv/o/ff", "", "", "", "/srv/o", "", false},
    {"", "/srv/o/01 /srv/o/7f /srv/o/a0", "", "", "", "/srv/o/01 /srv/o/7f /srv/o/a0", "", false},
    {"", "/srv/a /srv/b /srv/c /srv/d", "", "", "", "/srv/a /srv/b /srv/c /srv/d", "", false},
    {"", "/home/me/a /home/me/b /home/me/c /home/me/d", "", "", "",
     "/home/me/a /home/me/b /home/me/c /home/me/d", "", false},
    {"", "/srv/o/1 /srv/o/2 /srv/o/3 /srv/o/4", "", "", "/srv/o/lib",
     "/srv/o/1 /srv/o/2 /srv/o/3 /srv/o/4", "", false},
    /* what decides about the next start */
    {"", "/opt/app /opt/app/data", "", "", "/opt/app/bin/program", "/opt/app/data", "/opt/app",
     false},
    {"/opt/app/program", "", "", "", "/opt/app/program", "", "/opt/app/program", false},
    /* too many: the deepest first */
    {"",
     "/d/1/x /d/2/x /d/3/x /d/4/x /d/5/x /d/6/x /d/7/x /d/8/x /d/9/x /d/a/x /d/b/x /d/c/q/1 "
     "/d/c/q/2",
     "", "", "",
     "/d/1/x /d/2/x /d/3/x /d/4/x /d/5/x /d/6/x /d/7/x /d/8/x /d/9/x /d/a/x /d/b/x /d/c/q", "",
     false},
};

TEST(test_what_is_named)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text_list changed = split(cases[i].changed), entries = split(cases[i].entries),
                         made = split(cases[i].made), spans = split(cases[i].spans),
                         guarded = split(cases[i].guarded);
        const struct policy_facts facts = {&changed, &entries, &made, &spans, &guarded, "/home/me"};
        struct policy policy;
        char text[1024];

        assert_int_equal(policy_make(&facts, &policy), OK);
        join(&policy.writable, text, sizeof(text));
        assert_string_equal(text, cases[i].writable);
        join(&policy.left_out, text, sizeof(text));
        assert_string_equal(text, cases[i].left_out);
        assert_int_equal(policy.temporary, cases[i].temporary);
        policy_clear(&policy);
        text_list_clear(&changed);
        text_list_clear(&entries);
        text_list_clear(&made);
        text_list_clear(&spans);
        text_list_clear(&guarded);
    }
}

/* However many, and wherever: no more than can be named, and nothing is forgotten. */
TEST(test_many_are_few)
{
    struct text_list entries = {NULL, 0}, none = {NULL, 0};
    const struct policy_facts facts = {&none, &entries, &none, &none, &none, ""};
    struct policy policy;

    for (int i = 0; i < LEARNT_ROWS_MAX; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/%d/%d/%d", i % 97, i % 13, i);
        assert_int_equal(text_list_add(&entries, path, strlen(path)), OK);
    }
    assert_int_equal(policy_make(&facts, &policy), OK);
    assert_in_range(policy.writable.count, 1, POLICY_MAX);
    for (size_t i = 0; i < entries.count; i++) {
        bool covered = text_list_contains(&policy.left_out, span_of(entries.items[i]));

        for (size_t j = 0; j < policy.writable.count; j++)
            covered = covered || policy_is_below(entries.items[i], policy.writable.items[j]);
        for (size_t j = 0; j < policy.left_out.count; j++)
            covered = covered || policy_is_below(entries.items[i], policy.left_out.items[j]);
        assert_true(covered);
    }
    policy_clear(&policy);
    text_list_clear(&entries);
}

/* As long and as deep as they can be, each directory with one too few until that below it is
 * joined: it must not take minutes. */
TEST(test_hostile_paths_take_no_time)
{
    static char path[LEVELS * 7 + 64];
    struct text_list entries = {NULL, 0}, spans = {NULL, 0}, none = {NULL, 0};
    const struct policy_facts facts = {&none, &entries, &none, &spans, &none, "/home/me"};
    struct policy policy;
    size_t length = 0;

    for (int i = 0; i < LEVELS; i++) {
        length += (size_t)snprintf(path + length, sizeof(path) - length, "/%06d", i);
        for (int j = 0; i > 0 && j < (i + 1 < LEVELS ? 3 : 4); j++) {
            snprintf(path + length, sizeof(path) - length, "/%d", j);
            assert_int_equal(text_list_add(&entries, path, strlen(path)), OK);
        }
    }
    for (int i = 0; i < LEARNT_ROWS_MAX; i++) {
        snprintf(path + length, sizeof(path) - length, "/s/%d/q", i);
        assert_int_equal(text_list_add(&spans, path, strlen(path)), OK);
    }
    assert_int_equal(policy_make(&facts, &policy), OK);
    assert_int_equal(policy.writable.count, 1);
    assert_string_equal(policy.writable.items[0], "/000000/000001");
    policy_clear(&policy);
    text_list_clear(&entries);
    text_list_clear(&spans);
}

/* ---- What is told ---- */

static void tell(struct learnt *learnt, enum record_kind kind, uint32_t number, const char *text)
{
    struct record record = {.kind = kind, .number = number};

    snprintf(record.text, sizeof(record.text), "%s", text);
    learnt_take(learnt, &record);
}

TEST(test_tables_are_bounded_and_say_so)
{
    struct learnt learnt = {.channel = -1};

    tell(&learnt, RECORD_CHANGE, 0, "/proc/self/oom_score_adj");
    tell(&learnt, RECORD_ENTRY, 0, "/dev");
    assert_int_equal(learnt.rows[RECORD_CHANGE].count + learnt.rows[RECORD_ENTRY].count, 0);
    for (int i = 0; i < LEARNT_ROWS_MAX; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/nowhere/%d", i);
        tell(&learnt, RECORD_EXECUTE, 0, path);
        tell(&learnt, RECORD_EXECUTE, 0, path);
    }
    assert_false(learnt_is_partial(&learnt));
    tell(&learnt, RECORD_EXECUTE, 0, "/nowhere/else");
    assert_int_equal(learnt.rows[RECORD_EXECUTE].count, LEARNT_ROWS_MAX);
    assert_true(learnt_is_partial(&learnt));
    learnt_clear(&learnt);
    learnt = (struct learnt){.channel = -1};
    for (int i = 0; i < 2 * LEARNT_ROWS_MAX; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/nowhere/%d/%d", i % 5, i);
        tell(&learnt, RECORD_CHANGE, 0, path);
    }
    assert_int_equal(learnt.rows[RECORD_CHANGE].count, LEARNT_ROWS_MAX);
    assert_int_equal(learnt.rows[RECORD_ENTRY].count, 5);
    assert_false(learnt_is_partial(&learnt));
    learnt_clear(&learnt);
}

/* What is no record is counted, and ends nothing. */
TEST(test_only_whole_records)
{
    struct learnt learnt = {.channel = -1};
    struct record record = {.kind = RECORD_EXECUTE, .text = "/bin/one"};
    int other = -1;

    assert_int_equal(learnt_open(&learnt, &other), OK);
    assert_true(learnt_hear(&learnt));
    assert_true(send(other, &record, record_length(&record), 0) > 0);
    assert_true(send(other, &record, record_length(&record) - 1, 0) > 0); /* no end */
    assert_true(send(other, &record, record_length(&record) + 1, 0) > 0); /* something behind it */
    assert_true(send(other, &record, RECORD_HEAD_BYTES, 0) > 0);
    record.kind = RECORD_KIND_COUNT;
    assert_true(send(other, &record, record_length(&record), 0) > 0);
    record = (struct record){.kind = RECORD_LOST, .number = 7};
    assert_true(send(other, &record, record_length(&record), 0) > 0);
    record = (struct record){.kind = RECORD_LISTEN, .number = 80, .text = "tcp"};
    assert_true(send(other, &record, record_length(&record), 0) > 0);
    assert_true(learnt_hear(&learnt));
    assert_int_equal(learnt.rows[RECORD_EXECUTE].count, 1);
    assert_string_equal(learnt.rows[RECORD_LISTEN].items[0], "80/tcp");
    assert_int_equal(learnt.lost, 4 + 7);
    close(other);
    assert_false(learnt_hear(&learnt));
    learnt_clear(&learnt);
}

/* At the end nothing stays behind, however much is there. */
TEST(test_all_that_is_there_is_taken_at_the_end)
{
    struct learnt learnt = {.channel = -1};
    const struct record record = {.kind = RECORD_LOST, .number = 1};
    int other = -1;
    uint64_t sent = 0;

    assert_int_equal(learnt_open(&learnt, &other), OK);
    while (sent < 2 * LEARNT_RECORD_MAX &&
           send(other, &record, record_length(&record), MSG_DONTWAIT) > 0)
        sent++;
    if (sent <= LEARNT_RECORD_MAX)
        skip(); /* the kernel gives an ordinary user less room */
    learnt_end(&learnt);
    assert_int_equal(learnt.lost, sent);
    close(other);
    learnt_end(&learnt);
    assert_int_equal(learnt.lost, sent);
    learnt_clear(&learnt);
}

/* ---- What is printed ---- */

static void print(const struct learnt *learnt, struct line *line, char *report, size_t report_size,
                  char *policy, size_t policy_size)
{
    static char program[] = "/usr/bin/env", word[] = "it's $HOME\n";
    static char *const command[] = {program, word, NULL};
    struct recipe recipe = {.surface = "one", .command = command, .directory = "/"};
    const struct lesson lesson = {line, &recipe, learnt};
    FILE *first = fmemopen(report, report_size, "w"), *second = fmemopen(policy, policy_size, "w");

    assert_int_equal(lesson_tell(&lesson, first, second), OK);
    fclose(first);
    fclose(second);
}

/* Names that a service chose are quoted, or are not there at all. */
TEST(test_hostile_names)
{
    struct learnt learnt = {.channel = -1};
    struct line line = {.surface = NULL};
    static char report[8192], policy[8192];

    tell(&learnt, RECORD_EXECUTE, 0, "/nowhere/a b'; rm $x \"q\"");
    tell(&learnt, RECORD_EXECUTE, 0, "/nowhere/\xff");
    tell(&learnt, RECORD_EXECUTE, 0, "/nowhere/\x1b[2J");
    tell(&learnt, RECORD_ENTRY, 0, "/nowhere/\n--write /");
    tell(&learnt, RECORD_CONNECT, 0, "@\x1b]0;owned\x07");
    print(&learnt, &line, report, sizeof(report), policy, sizeof(policy));
    assert_null(strchr(report, '\x1b'));
    assert_null(strchr(report, '\xff'));
    assert_null(strstr(report, "\n--write"));
    assert_non_null(strstr(report, "is not given, though it had it, /nowhere/\\ufffd"));
    assert_non_null(strstr(policy, "\"/nowhere/a b'; rm $$x \\\"q\\\"\""));
    assert_non_null(strstr(policy, "\"write\": []"));
    assert_null(strstr(policy, "ffd"));
    learnt_clear(&learnt);
}

/* What is printed can be read back: no more of anything than an option or the configuration takes.
 */
TEST(test_no_more_than_can_be_named)
{
    struct learnt learnt = {.channel = -1};
    struct line line = {.surface = NULL};
    static char report[65536], policy[65536];
    size_t libraries = 0;
    char path[64];

    for (int i = 0; i < LESSON_PROGRAMS_MAX + 3; i++) {
        snprintf(path, sizeof(path), "/nowhere/program-%03d", i);
        tell(&learnt, RECORD_EXECUTE, 0, path);
        snprintf(path, sizeof(path), "/code-%d/lib", i);
        tell(&learnt, RECORD_LOAD, 0, path);
    }
    print(&learnt, &line, report, sizeof(report), policy, sizeof(policy));
    assert_non_null(strstr(policy, "program-063"));
    assert_null(strstr(policy, "program-064"));
    assert_non_null(strstr(report, "is not given, though it had it, /nowhere/program-066"));
    for (const char *at = policy; (at = strstr(at, "/code-")) != NULL; at++)
        libraries++;
    assert_int_equal(libraries, POLICY_MAX);
    learnt_clear(&learnt);
}

/* A connection to a port before it was its own is none to somebody else. */
TEST(test_its_own_ports)
{
    struct learnt learnt = {.channel = -1};
    struct line line = {.surface = NULL};
    static char report[8192], policy[8192];

    tell(&learnt, RECORD_CONNECT, 0, "127.0.0.1:4000/tcp");
    tell(&learnt, RECORD_CONNECT, 0, "[::1]:4001/tcp");
    tell(&learnt, RECORD_CONNECT, 0, "192.0.2.1:4000/tcp");
    tell(&learnt, RECORD_LISTEN, 4000, "tcp");
    print(&learnt, &line, report, sizeof(report), policy, sizeof(policy));
    assert_null(strstr(report, "to 127.0.0.1:4000"));
    assert_non_null(strstr(report, "connected to [::1]:4001/tcp"));
    assert_non_null(strstr(report, "connected to 192.0.2.1:4000/tcp"));
    learnt_clear(&learnt);
}
