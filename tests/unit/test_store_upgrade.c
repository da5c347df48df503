/*
 * database.c: what earlier versions of the program have left is taken over, whole; what a later one
 * has left is not touched. tests/vectors/states/N.sql is a state that was written when schema N was
 * the newest, by the program of then: never changed, and one more with each new schema.
 */
#include "store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATES           VECTORS_DIR "/states/"
#define STATE_BYTES_MAX  (64 * 1024)
#define SCHEMA_BYTES_MAX 8192
#define RECORD           "{\"command\":\"/usr/bin/cat\",\"env\":{\"KEY\":\"correct-horse-battery\"}}"
#define LIVES            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define REVOKED          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define USED             "cccccccccccccccccccccccccccccccc"
#define EXPIRED          "dddddddddddddddddddddddddddddddd"

/* ---- A state as it was ---- */

static void write_file(const struct fixture *fixture, const char *name, const void *bytes,
                       size_t length, int flags)
{
    char path[512];
    int fd;

    path_of(fixture, name, path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void write_key(const struct fixture *fixture, const char *hex)
{
    unsigned char key[SECRET_KEY_BYTES];

    for (size_t i = 0; i < sizeof(key); i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        key[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    write_file(fixture, "key", key, sizeof(key), O_TRUNC);
}

static void execute(const struct fixture *fixture, const char *sql)
{
    sqlite3 *database;
    char path[512];

    path_of(fixture, "sidelock.db", path, sizeof(path));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(database));
    sqlite3_close(database);
    assert_int_equal(chmod(path, 0600), 0);
}

/* In the place of what the fixture has made. */
static void restore(struct fixture *fixture, const char *name)
{
    char path[512], *text = calloc(1, STATE_BYTES_MAX), *line, *rest;
    FILE *file;

    assert_non_null(text);
    close_store(fixture);
    temporary_remove(fixture->directory);
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    snprintf(path, sizeof(path), STATES "%s", name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, STATE_BYTES_MAX - 1, file) > 0);
    fclose(file);
    execute(fixture, text);
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "-- key: ", 8) == 0)
            write_key(fixture, line + 8);
        if (strncmp(line, "-- generation: ", 15) == 0) {
            write_file(fixture, "generation", line + 15, strlen(line + 15), O_APPEND);
            write_file(fixture, "generation", "\n", 1, O_APPEND);
        }
    }
    free(text);
}

/* ---- What is to be there ---- */

static int append_row(void *context, int count, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < count; i++)
        buffer_append_format(context, "%s\n", values[i] != NULL ? values[i] : "");
    return 0;
}

/* Tables and indexes as they stand in the file, and which schema that is. */
static void read_schema(const struct fixture *fixture, struct buffer *out)
{
    static const char *const questions[] = {"SELECT sql FROM sqlite_master ORDER BY name",
                                            "PRAGMA user_version"};
    sqlite3 *database;
    char path[512];

    path_of(fixture, "sidelock.db", path, sizeof(path));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(sqlite3_exec(database, questions[i], append_row, out, NULL), SQLITE_OK);
    sqlite3_close(database);
    assert_false(buffer_failed(out));
}

static void check_records(struct store *store)
{
    struct store_params params;
    struct buffer json;

    buffer_init(&json, STATE_BYTES_MAX);
    assert_int_equal(store_params_get(store, "cat", &params, &json), OK);
    assert_string_equal(json.data, RECORD);
    assert_string_equal(params.surface, "studio");
    assert_int_equal(params.updated_at, NOW);
    buffer_wipe(&json);
    assert_int_equal(store_params_get(store, "any", &params, NULL), OK);
    assert_string_equal(params.surface, "");
}

static void check_sessions(struct store *store)
{
    const int64_t later = NOW + 20000;
    struct session session;

    assert_int_equal(store_session_get(store, LIVES, &session), OK);
    assert_int_equal(session_ended(&session, later), REASON_ALLOWED);
    assert_string_equal(session.token_id, "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0");
    assert_string_equal(session.params_name, "cat");
    assert_int_equal(session.created_by, 1000);
    assert_true(session.verbs_set && session.targets_set && session.callers_set);
    assert_int_equal(session.verbs.count, 2);
    assert_string_equal(session.verbs.items[1], "call_tool");
    assert_string_equal(session.targets.items[0], "get-*");
    assert_int_equal(session.caller_count, 2);
    assert_int_equal(session.callers[1], 1001);
    session_clear(&session);
    assert_int_equal(store_session_get(store, REVOKED, &session), OK);
    assert_int_equal(session_ended(&session, later), REASON_SESSION_REVOKED);
    assert_false(session.verbs_set || session.callers_set);
    session_clear(&session);
    assert_int_equal(store_session_get(store, USED, &session), OK);
    assert_int_equal(session_ended(&session, later), REASON_SESSION_USED);
    session_clear(&session);
    assert_int_equal(store_session_get(store, EXPIRED, &session), OK);
    assert_int_equal(session_ended(&session, later), REASON_SESSION_EXPIRED);
    session_clear(&session);
}

static void check_state(struct store *store)
{
    bool killed, now;

    check_records(store);
    check_sessions(store);
    assert_int_equal(store_surface_killed(store, "studio", &killed), OK);
    assert_true(killed);
    assert_int_equal(store_surface_killed(store, "tools", &killed), OK);
    assert_false(killed);
    /* An upgrade is no restored backup, by which all sessions would be dead. */
    assert_int_equal(store_restored_at(store, &now), 0);
}

static void upgrade(struct fixture *fixture, const char *name, const struct buffer *newest)
{
    struct buffer schema;

    restore(fixture, name);
    for (int i = 0; i < 2; i++) {
        if (open_store(fixture) != OK)
            fail_msg("%s: %s", name, fixture->why);
        check_state(fixture->store);
        close_store(fixture);
    }
    buffer_init(&schema, SCHEMA_BYTES_MAX);
    read_schema(fixture, &schema);
    assert_string_equal(schema.data, newest->data);
    buffer_clear(&schema);
}

STORE_TEST(every_earlier_state_is_taken_over)
{
    struct fixture *fixture = *state;
    DIR *directory = opendir(STATES);
    const struct dirent *entry;
    struct buffer newest;
    unsigned seen = 0;

    assert_non_null(directory);
    buffer_init(&newest, SCHEMA_BYTES_MAX);
    close_store(fixture);
    read_schema(fixture, &newest);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        upgrade(fixture, entry->d_name, &newest);
        seen++;
    }
    closedir(directory);
    /* Its last line is the newest schema: there is a state of each. */
    assert_int_equal(seen, strtol(newest.data + newest.length - 2, NULL, 10));
    buffer_clear(&newest);
}

/* ---- What a later program has left ---- */

struct bytes {
    char data[STATE_BYTES_MAX];
    ssize_t length;
};

static void read_bytes(const struct fixture *fixture, const char *name, struct bytes *out)
{
    char path[512];
    int fd;

    path_of(fixture, name, path, sizeof(path));
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    out->length = read(fd, out->data, sizeof(out->data));
    assert_true(out->length >= 0 && (size_t)out->length < sizeof(out->data));
    close(fd);
}

static void refuse_later(struct fixture *fixture, const char *journal)
{
    static const char *const files[] = {"sidelock.db", "generation", "key"};
    static struct bytes before[3], after;
    char sql[128];

    restore(fixture, "2.sql");
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; PRAGMA user_version = 1000", journal);
    execute(fixture, sql);
    for (size_t i = 0; i < 3; i++)
        read_bytes(fixture, files[i], &before[i]);
    assert_int_equal(open_store(fixture), ERROR_INVALID);
    assert_null(fixture->store);
    assert_non_null(strstr(fixture->why, "schema 1000 and this Sidelock knows none after"));
    assert_non_null(strstr(fixture->why, "run the newer Sidelock"));
    for (size_t i = 0; i < 3; i++) {
        read_bytes(fixture, files[i], &after);
        assert_int_equal(after.length, before[i].length);
        assert_memory_equal(after.data, before[i].data, (size_t)after.length);
    }
}

STORE_TEST(a_later_state_is_refused_and_not_touched)
{
    refuse_later(*state, "wal");
    refuse_later(*state, "delete");
}

/* Left by a later program that was killed: what it has written last is in its log alone. */
STORE_TEST(the_log_of_a_later_state_stays)
{
    struct fixture *fixture = *state;
    static struct bytes before, after;
    sqlite3 *database;
    char path[512];

    restore(fixture, "2.sql");
    path_of(fixture, "sidelock.db", path, sizeof(path));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
                                  "PRAGMA user_version = 1000",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    read_bytes(fixture, "sidelock.db-wal", &before);
    assert_true(before.length > 0);
    assert_int_equal(open_store(fixture), ERROR_INVALID);
    assert_non_null(strstr(fixture->why, "schema 1000"));
    read_bytes(fixture, "sidelock.db-wal", &after);
    assert_int_equal(after.length, before.length);
    assert_memory_equal(after.data, before.data, (size_t)after.length);
    sqlite3_close(database);
}

/* Writes more than it holds in memory, and ends in the midst of it. */
static void end_amidst(const char *path)
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        sqlite3 *database;
        const bool begun =
            sqlite3_open(path, &database) == SQLITE_OK &&
            sqlite3_exec(database,
                         "PRAGMA cache_size = 2; PRAGMA cache_spill = 2; BEGIN;"
                         "CREATE TABLE more (bytes BLOB);"
                         "INSERT INTO more WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                         "SELECT i + 1 FROM n WHERE i < 8) SELECT randomblob(3000) FROM n",
                         NULL, NULL, NULL) == SQLITE_OK;

        _exit(begun ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    char path[512];

    path_of(fixture, name, path, sizeof(path));
    return access(path, F_OK) == 0;
}

STORE_TEST(a_later_state_that_was_not_ended_is_refused_too)
{
    struct fixture *fixture = *state;
    static struct bytes before, after;
    char path[512];

    restore(fixture, "2.sql");
    execute(fixture, "PRAGMA journal_mode = delete; PRAGMA user_version = 1000");
    read_bytes(fixture, "sidelock.db", &before);
    path_of(fixture, "sidelock.db", path, sizeof(path));
    end_amidst(path);
    assert_true(is_there(fixture, "sidelock.db-journal"));
    assert_int_equal(open_store(fixture), ERROR_INVALID);
    assert_non_null(strstr(fixture->why, "schema 1000"));
    read_bytes(fixture, "sidelock.db", &after);
    assert_int_equal(after.length, before.length);
    assert_memory_equal(after.data, before.data, (size_t)after.length);
}

/* Whoever has it to itself may have made it a later one. */
STORE_TEST(what_cannot_be_read_is_not_written)
{
    struct fixture *fixture = *state;
    static struct bytes before, after;
    sqlite3 *database;
    char path[512];

    restore(fixture, "2.sql");
    execute(fixture, "PRAGMA journal_mode = delete; PRAGMA user_version = 1000");
    read_bytes(fixture, "sidelock.db", &before);
    path_of(fixture, "sidelock.db", path, sizeof(path));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(open_store(fixture), ERROR_IO);
    assert_non_null(strstr(fixture->why, "cannot read the database"));
    sqlite3_close(database);
    read_bytes(fixture, "sidelock.db", &after);
    assert_int_equal(after.length, before.length);
    assert_memory_equal(after.data, before.data, (size_t)after.length);
}
