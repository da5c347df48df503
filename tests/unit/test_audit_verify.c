/* audit_verify.c, and recovery: what was changed, taken out or torn does not go unnoticed. */
#include "audit_fixture.h"

#include <unistd.h>

/* Every single byte of the log, changed: none goes unnoticed. */
AUDIT_TEST(test_every_changed_byte_is_noticed)
{
    struct fixture *fixture = *state;
    size_t length, last;
    char *bytes;

    add_lines(fixture, 4);
    bytes = read_file(fixture->path, &length);
    /* The last line has no successor: a change that keeps it a line is not found in this file. */
    last = length - 1;
    while (bytes[last - 1] != '\n')
        last--;
    for (size_t i = 0; i < last; i++) {
        bytes[i] ^= 1;
        write_file(fixture->path, bytes, length);
        if (verify(fixture->path).intact)
            fail_msg("byte %zu", i);
        bytes[i] ^= 1;
    }
    free(bytes);
}

AUDIT_TEST(test_lines_taken_out)
{
    struct fixture *fixture = *state;
    size_t length;
    char *bytes, *second, *third;

    add_lines(fixture, 4);
    bytes = read_file(fixture->path, &length);
    second = strchr(bytes, '\n') + 1;
    third = strchr(second, '\n') + 1;
    /* Without the second. */
    memmove(second, third, length - (size_t)(third - bytes));
    write_file(fixture->path, bytes, length - (size_t)(third - second));
    expect_bad(fixture, 2);
    free(bytes);
}

AUDIT_TEST(test_lines_swapped_doubled_added)
{
    struct fixture *fixture = *state;
    struct buffer file;
    size_t length, line;
    char *bytes;

    add_lines(fixture, 3);
    bytes = read_file(fixture->path, &length);
    line = strcspn(bytes, "\n") + 1;
    buffer_init(&file, FILE_BYTES_MAX);
    buffer_append(&file, bytes, line);
    buffer_append(&file, bytes, length); /* the first twice */
    write_file(fixture->path, file.data, file.length);
    expect_bad(fixture, 2);
    buffer_reset(&file);
    buffer_append(&file, bytes + line, length - line); /* the first at the end */
    buffer_append(&file, bytes, line);
    write_file(fixture->path, file.data, file.length);
    expect_bad(fixture, 3);
    buffer_reset(&file);
    buffer_append(&file, bytes, line);
    buffer_append_text(&file, "not a line\n");
    buffer_append(&file, bytes + line, length - line);
    write_file(fixture->path, file.data, file.length);
    expect_bad(fixture, 2);
    write_file(fixture->path, "\n", 1);
    expect_bad(fixture, 1);
    buffer_clear(&file);
    free(bytes);
}

/* The log cut at every byte: a cut between lines is no fault of this file, any other is torn. */
AUDIT_TEST(test_torn_at_every_byte)
{
    struct fixture *fixture = *state;
    size_t length, whole = 0;
    char *bytes;

    add_lines(fixture, 2);
    close_log(fixture);
    bytes = read_file(fixture->path, &length);
    for (size_t cut = 1; cut <= length; cut++) {
        bool between = bytes[cut - 1] == '\n';
        /* All but the newline is there: the line is whole once it is ended. */
        bool ended = bytes[cut] == '\n';

        whole += between;
        write_file(fixture->path, bytes, cut);
        if (between)
            expect_intact(fixture, whole);
        else
            expect_bad(fixture, whole + 1);
        open_log(fixture);
        /* A torn line and its recovery are two more. */
        expect_intact(fixture, whole + (between ? 0 : ended ? 1 : 2));
        add_lines(fixture, 1);
        close_log(fixture);
        expect_intact(fixture, whole + 1 + (between ? 0 : ended ? 1 : 2));
    }
    free(bytes);
}

AUDIT_TEST(test_recovery_goes_around_a_torn_line)
{
    struct fixture *fixture = *state;
    char digest[SHA256_HEX_SIZE];
    size_t length, first;
    char *bytes;
    json_t *line;

    add_lines(fixture, 1);
    close_log(fixture);
    bytes = read_file(fixture->path, &first);
    secret_sha256_hex(bytes, first - 1, digest);
    memcpy(bytes + first, "{\"seq\":2,\"ti\0\xff", 14);
    write_file(fixture->path, bytes, first + 14);
    open_log(fixture);
    add_lines(fixture, 1);
    expect_intact(fixture, 4);
    line = line_at(fixture, 3);
    assert_string_equal(text_of(line, "event"), "audit_recovered");
    assert_int_equal(json_integer_value(json_object_get(line, "seq")), 2);
    assert_string_equal(text_of(line, "after"), digest);
    json_decref(line);
    free(bytes);

    /* Neither what was torn nor the line before it can be changed now. */
    bytes = read_file(fixture->path, &length);
    bytes[first + 3] ^= 1;
    write_file(fixture->path, bytes, length);
    expect_bad(fixture, 2);
    bytes[first + 3] ^= 1;
    memcpy(strstr(bytes, "denied"), "DENIED", 6);
    write_file(fixture->path, bytes, length);
    expect_bad(fixture, 3);
    free(bytes);
}

/* Torn, recovered, and the recovery torn as well. */
AUDIT_TEST(test_torn_twice)
{
    struct fixture *fixture = *state;
    size_t length;
    char *bytes;

    add_lines(fixture, 1);
    close_log(fixture);
    bytes = read_file(fixture->path, &length);
    memcpy(bytes + length, "{\"seq\":2\n{\"se", 13);
    write_file(fixture->path, bytes, length + 13);
    open_log(fixture);
    add_lines(fixture, 1);
    expect_intact(fixture, 5);
    free(bytes);
    bytes = read_file(fixture->path, &length);
    memcpy(strstr(bytes, "{\"seq\":2\n"), "{\"SEQ\":2\n", 9);
    write_file(fixture->path, bytes, length);
    expect_bad(fixture, 2);
    free(bytes);
}

AUDIT_TEST(test_verify_refuses_what_is_no_log)
{
    struct fixture *fixture = *state;
    struct audit_verdict verdict;
    char path[400];
    char *bytes = malloc(AUDIT_LINE_BYTES_MAX * 3);

    snprintf(path, sizeof(path), "%s/none", fixture->root);
    assert_int_equal(audit_verify(path, &verdict), ERROR_IO);
    assert_int_equal(audit_verify(fixture->root, &verdict), ERROR_IO);
    memset(bytes, 'x', AUDIT_LINE_BYTES_MAX * 3);
    write_file(fixture->path, bytes, AUDIT_LINE_BYTES_MAX * 3);
    expect_bad(fixture, 1);
    /* A first line that claims to be the very first, and to follow another. */
    write_file(fixture->path, bytes, 0);
    free(bytes);
    bytes = malloc(512);
    snprintf(bytes, 512, "{\"seq\":1,\"event\":\"x\",\"prev\":\"1%s\"}\n", &ZEROS[1]);
    write_file(fixture->path, bytes, strlen(bytes));
    expect_bad(fixture, 1);
    bytes[strcspn(bytes, ":") + 1] = '7'; /* the seventh may */
    write_file(fixture->path, bytes, strlen(bytes));
    expect_intact(fixture, 1);
    free(bytes);
}

/* Lines whose digests join but whose numbers do not. */
AUDIT_TEST(test_numbers_must_follow)
{
    static const unsigned numbers[][2] = {{1, 1}, {1, 3}, {5, 4}, {5, 6}};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char digest[SHA256_HEX_SIZE];
        struct buffer file;

        buffer_init(&file, 1024);
        buffer_append_format(&file, "{\"seq\":%u,\"event\":\"x\",\"prev\":\"%s\"}", numbers[i][0],
                             ZEROS);
        secret_sha256_hex(file.data, file.length, digest);
        buffer_append_format(&file, "\n{\"seq\":%u,\"event\":\"x\",\"prev\":\"%s\"}\n",
                             numbers[i][1], digest);
        write_file(fixture->path, file.data, file.length);
        if (numbers[i][1] == numbers[i][0] + 1)
            expect_intact(fixture, 2);
        else
            expect_bad(fixture, 2);
        buffer_clear(&file);
    }
}

/* ---- With a key ---- */

static struct secret_key *key_of(unsigned char fill)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    struct secret_key *key;

    memset(bytes, fill, sizeof(bytes));
    assert_int_equal(secret_key_from_bytes(bytes, &key), OK);
    return key;
}

static struct audit_verdict verify_keyed(const struct fixture *fixture,
                                         const struct secret_key *key,
                                         const struct audit_anchor *anchor)
{
    struct audit_verifier *verifier;
    struct audit_verdict verdict;

    assert_int_equal(audit_verifier_create(key, anchor, &verifier), OK);
    assert_int_equal(audit_verifier_read(verifier, fixture->path, true, &verdict), OK);
    audit_verifier_destroy(verifier);
    return verdict;
}

/* A log with a key from its first line on, and where it ended. */
static struct audit_anchor write_keyed(struct fixture *fixture, const struct secret_key *key,
                                       int lines)
{
    static const struct audit_anchor none;
    struct audit_anchor head;

    close_log(fixture);
    assert_int_equal(audit_open_keyed(fixture->path, key, &none, &fixture->audit), OK);
    add_lines(fixture, lines);
    head = audit_head(fixture->audit);
    close_log(fixture);
    return head;
}

/* Every single byte, also of the last line, and every end that is cut off. */
AUDIT_TEST(test_a_key_and_an_anchor_protect_every_byte)
{
    struct secret_key *key = key_of(1), *other = key_of(2);
    struct audit_anchor head = write_keyed(*state, key, 4);
    struct fixture *fixture = *state;
    size_t length;
    char *bytes = read_file(fixture->path, &length);

    assert_true(verify_keyed(fixture, key, &head).intact);
    assert_int_equal(head.sequence, 4);
    assert_int_equal(head.keyed_from, 1);
    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= 1;
        write_file(fixture->path, bytes, length);
        if (verify_keyed(fixture, key, &head).intact)
            fail_msg("byte %zu", i);
        bytes[i] ^= 1;
    }
    for (size_t cut = 0; cut < length; cut++) {
        write_file(fixture->path, bytes, cut);
        if (verify_keyed(fixture, key, &head).intact)
            fail_msg("cut at %zu", cut);
    }
    write_file(fixture->path, bytes, length);
    assert_int_equal(verify_keyed(fixture, other, &head).fault, AUDIT_REWRITTEN);
    assert_true(verify_keyed(fixture, NULL, NULL).intact);
    secret_key_destroy(key);
    secret_key_destroy(other);
    free(bytes);
}

/* What audit_open_keyed() makes of a file that is not the one that was anchored. */
AUDIT_TEST(test_a_start_compares_with_the_anchor)
{
    struct secret_key *key = key_of(1);
    struct audit_anchor head = write_keyed(*state, key, 4), later = head;
    struct fixture *fixture = *state;
    json_t *line;

    later.sequence = 9; /* more was written than there is */
    assert_int_equal(audit_open_keyed(fixture->path, key, &later, &fixture->audit), OK);
    close_log(fixture);
    line = line_at(fixture, 5);
    assert_string_equal(text_of(line, "event"), "audit_mismatch");
    json_decref(line);
    assert_int_equal(verify_keyed(fixture, key, &head).fault, AUDIT_CUT);

    head = write_keyed(fixture, key, 1);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(audit_open_keyed(fixture->path, key, &head, &fixture->audit), OK);
    add_lines(fixture, 1);
    close_log(fixture);
    line = line_at(fixture, 1);
    assert_string_equal(text_of(line, "event"), "audit_resumed");
    assert_string_equal(text_of(line, "prev"), head.digest);
    json_decref(line);
    assert_true(verify_keyed(fixture, key, &head).intact);

    /* Any other file in its place. */
    head.digest[0] = head.digest[0] == '0' ? '1' : '0';
    assert_int_equal(verify_keyed(fixture, key, &head).fault, AUDIT_REWRITTEN);
    secret_key_destroy(key);
}
