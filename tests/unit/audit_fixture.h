/* A log in a directory of its own, for the tests of the audit log. */
#pragma once

#include "system/audit.h"
#include "system/audit_verify.h"
#include "temporary.h"
#include "unit.h"

#include <jansson.h>
#include <stdint.h>

#define AUDIT_TEST(test) TEST_BETWEEN(test, audit_fixture_make, audit_fixture_drop)
#define ZEROS            "0000000000000000000000000000000000000000000000000000000000000000"
#define FILE_BYTES_MAX   (1024 * 1024)

struct fixture {
    char root[TEMPORARY_PATH_SIZE];
    char path[TEMPORARY_PATH_SIZE + 32];
    struct audit *audit;
};

static inline int audit_fixture_make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL || temporary_make(fixture->root) == NULL)
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/audit.jsonl", fixture->root);
    *state = fixture;
    return audit_open(fixture->path, &fixture->audit) == OK ? 0 : -1;
}

static inline void close_log(struct fixture *fixture)
{
    audit_close(fixture->audit);
    fixture->audit = NULL;
}

static inline void open_log(struct fixture *fixture)
{
    assert_int_equal(audit_open(fixture->path, &fixture->audit), OK);
}

static inline int audit_fixture_drop(void **state)
{
    struct fixture *fixture = *state;

    close_log(fixture);
    temporary_remove(fixture->root);
    free(fixture);
    return 0;
}

/* One line about `number`. */
static inline enum error add(struct fixture *fixture, int64_t number)
{
    audit_begin(fixture->audit, "denied");
    audit_number(fixture->audit, "number", number);
    audit_reason(fixture->audit, REASON_ORIGIN_MISMATCH);
    return audit_commit(fixture->audit);
}

static inline void add_lines(struct fixture *fixture, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(add(fixture, i), OK);
}

/* The whole file, NUL-terminated; the caller frees it. */
static inline char *read_file(const char *path, size_t *length)
{
    char *bytes = malloc(FILE_BYTES_MAX);
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    *length = fread(bytes, 1, FILE_BYTES_MAX - 1, file);
    bytes[*length] = '\0';
    fclose(file);
    return bytes;
}

static inline void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static inline struct audit_verdict verify(const char *path)
{
    struct audit_verdict verdict = {0};

    assert_int_equal(audit_verify(path, &verdict), OK);
    return verdict;
}

static inline void expect_intact(const struct fixture *fixture, uint64_t lines)
{
    struct audit_verdict verdict = verify(fixture->path);

    if (!verdict.intact)
        fail_msg("line %d: %s", (int)verdict.bad_line, verdict.text);
    assert_int_equal(verdict.lines, lines);
}

static inline void expect_bad(const struct fixture *fixture, uint64_t line)
{
    struct audit_verdict verdict = verify(fixture->path);

    assert_false(verdict.intact);
    assert_int_equal(verdict.bad_line, line);
    assert_true(strlen(verdict.text) > 10);
}

/* The nth line (1-based) as JSON; the caller releases it. */
static inline json_t *line_at(const struct fixture *fixture, unsigned number)
{
    size_t length;
    char *bytes = read_file(fixture->path, &length), *at = bytes;
    json_t *line;

    for (unsigned i = 1; i < number; i++)
        at = (char *)memchr(at, '\n', length - (size_t)(at - bytes)) + 1;
    line = json_loadb(at, strcspn(at, "\n"), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    free(bytes);
    return line;
}

static inline const char *text_of(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}
