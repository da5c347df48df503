/* store.c: the directory, the key, the database and the kill switches, on disk. */
#include "store_fixture.h"

#include <fcntl.h>
#include <unistd.h>

static mode_t mode_of(const struct fixture *fixture, const char *name)
{
    char path[512];
    struct stat facts;

    path_of(fixture, name, path, sizeof(path));
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_mode & 07777;
}

/* The directory, the lock and the key. */

STORE_TEST(test_files_are_private)
{
    const struct fixture *fixture = *state;

    assert_int_equal(mode_of(fixture, "."), 0700);
    assert_int_equal(mode_of(fixture, "key"), 0600);
    assert_int_equal(mode_of(fixture, "lock"), 0600);
    assert_int_equal(mode_of(fixture, "sidelock.db"), 0600);
    assert_int_equal(mode_of(fixture, "sidelock.db-wal"), 0600);
}

STORE_TEST(test_one_process_at_a_time)
{
    struct fixture *fixture = *state;
    struct store *second = NULL;

    assert_int_equal(store_open(fixture->directory, &second, fixture->why), ERROR_EXISTS);
    assert_null(second);
    assert_non_null(strstr(fixture->why, fixture->directory));
    reopen(fixture);
}

STORE_TEST(test_key_stays_the_same)
{
    struct fixture *fixture = *state;
    unsigned char key[SECRET_KEY_BYTES];

    memcpy(key, secret_key_bytes(store_token_key(fixture->store)), sizeof(key));
    reopen(fixture);
    assert_memory_equal(key, secret_key_bytes(store_token_key(fixture->store)), sizeof(key));
}

/* Changes one thing, expects a refusal whose sentence holds `words`, and undoes it. */
static void expect_refusal(struct fixture *fixture, enum error expected, const char *words)
{
    assert_int_equal(open_store(fixture), expected);
    assert_null(fixture->store);
    if (strstr(fixture->why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fixture->why, words);
}

STORE_TEST(test_open_to_others)
{
    static const mode_t modes[] = {0750, 0705, 0720, 0701, 0710};
    struct fixture *fixture = *state;
    char key[512];

    close_store(fixture);
    path_of(fixture, "key", key, sizeof(key));
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(fixture->directory, modes[i]), 0);
        expect_refusal(fixture, ERROR_DENIED, "chmod 700");
    }
    assert_int_equal(chmod(fixture->directory, 0700), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(key, modes[i] & 0677), 0);
        expect_refusal(fixture, ERROR_DENIED, "chmod 600");
    }
    assert_int_equal(chmod(key, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(key, 12345, 12345), 0);
        expect_refusal(fixture, ERROR_DENIED, "uid 12345");
        assert_int_equal(chown(key, 0, 0), 0);
        assert_int_equal(chown(fixture->directory, 12345, 12345), 0);
        expect_refusal(fixture, ERROR_DENIED, "uid 12345");
        assert_int_equal(chown(fixture->directory, 0, 0), 0);
    }
    assert_int_equal(open_store(fixture), OK);
}

STORE_TEST(test_bad_key_files)
{
    struct fixture *fixture = *state;
    char key[512], aside[512];

    close_store(fixture);
    path_of(fixture, "key", key, sizeof(key));
    path_of(fixture, "aside", aside, sizeof(aside));
    assert_int_equal(rename(key, aside), 0);
    expect_refusal(fixture, ERROR_INVALID, "restore the key");
    assert_int_equal(symlink("aside", key), 0);
    expect_refusal(fixture, ERROR_IO, key);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(mkfifo(key, 0600), 0);
    expect_refusal(fixture, ERROR_INVALID, "regular file");
    assert_int_equal(unlink(key), 0);
    assert_int_equal(rename(aside, key), 0);
    assert_int_equal(truncate(key, SECRET_KEY_BYTES + 1), 0);
    expect_refusal(fixture, ERROR_INVALID, "32 bytes");
    assert_int_equal(truncate(key, SECRET_KEY_BYTES - 1), 0);
    expect_refusal(fixture, ERROR_INVALID, "32 bytes");
    /* As long as it should be, but the last byte is another: not this database's. */
    assert_int_equal(truncate(key, SECRET_KEY_BYTES - 2), 0);
    assert_int_equal(truncate(key, SECRET_KEY_BYTES), 0);
    expect_refusal(fixture, ERROR_CRYPTO, "do not belong together");
}

STORE_TEST(test_crash_before_the_key_was_done)
{
    struct fixture *fixture = *state;
    char path[512];
    int fd;

    close_store(fixture);
    temporary_remove(fixture->directory);
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    path_of(fixture, "key.new", path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    assert_int_equal(open_store(fixture), OK);
    assert_int_equal(access(path, F_OK), -1);
}

STORE_TEST(test_directory_cannot_be_made)
{
    struct fixture *fixture = *state;

    close_store(fixture);
    snprintf(fixture->directory, sizeof(fixture->directory), "/proc/a/b");
    expect_refusal(fixture, ERROR_IO, "state_dir");
}

/* The database. */

STORE_TEST(test_newer_schema_is_refused)
{
    struct fixture *fixture = *state;

    close_store(fixture);
    run_sql(fixture, "PRAGMA user_version = 99");
    expect_refusal(fixture, ERROR_INVALID, "newer Sidelock");
}

STORE_TEST(test_not_a_database)
{
    struct fixture *fixture = *state;
    char path[512];
    int fd;

    close_store(fixture);
    path_of(fixture, "sidelock.db", path, sizeof(path));
    fd = open(path, O_WRONLY | O_TRUNC);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "not a database\n", 15), 15);
    close(fd);
    expect_refusal(fixture, ERROR_INVALID, path);
}

/* Kill switches. */

STORE_TEST(test_kill_switch)
{
    struct fixture *fixture = *state;
    bool killed = true;

    assert_int_equal(store_surface_killed(fixture->store, "studio", &killed), OK);
    assert_false(killed);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "studio", true, NOW), OK);
    reopen(fixture);
    assert_int_equal(store_surface_killed(fixture->store, "studio", &killed), OK);
    assert_true(killed);
    assert_int_equal(store_surface_killed(fixture->store, "other", &killed), OK);
    assert_false(killed);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "studio", false, NOW + 1), OK);
    assert_int_equal(store_surface_killed(fixture->store, "studio", &killed), OK);
    assert_false(killed);
    assert_int_equal(KEPT(fixture->store, store_surface_set_killed, "a/b", true, NOW),
                     ERROR_INVALID);
}
