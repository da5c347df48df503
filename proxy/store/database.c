#include "store/database.h"

#include "base/log.h"
#include "system/trusted_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 2000

/* Schema 1. Times are seconds since the epoch; lists are JSON text, NULL for no list. */
static const char schema_1[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE params ("
    " name TEXT PRIMARY KEY, surface TEXT NOT NULL, digest TEXT NOT NULL, sealed BLOB NOT NULL,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE sessions ("
    " id TEXT PRIMARY KEY, token_id TEXT NOT NULL UNIQUE, surface TEXT NOT NULL,"
    " params_name TEXT NOT NULL, params_digest TEXT NOT NULL, created_by INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL,"
    " used_at INTEGER NOT NULL, once INTEGER NOT NULL CHECK (once IN (0, 1)),"
    " verbs TEXT, targets TEXT, callers TEXT) STRICT;"
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at);"
    "CREATE TABLE surfaces ("
    " name TEXT PRIMARY KEY, killed INTEGER NOT NULL CHECK (killed IN (0, 1)),"
    " changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 1; COMMIT;";

/*
 * Schema 2. A session belongs to the generation it was made in (generation.h); those of before
 * have none yet. Lists are read in pages.
 */
static const char schema_2[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE sessions ADD COLUMN generation TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX sessions_by_age ON sessions (created_at, id);"
    "CREATE INDEX sessions_by_params ON sessions (params_name, id);"
    "PRAGMA user_version = 2; COMMIT;";

/* Schema 3. How many sessions of a surface live is asked each time that one is made. */
static const char schema_3[] =
    "BEGIN IMMEDIATE;"
    "CREATE INDEX sessions_alive ON sessions (surface, generation, expires_at)"
    " WHERE revoked_at = 0 AND used_at = 0;"
    "PRAGMA user_version = 3; COMMIT;";

/* migrations[n] brings schema n to n + 1, whole or not at all. A published entry is never changed.
 */
static const char *const migrations[] = {schema_1, schema_2, schema_3};
#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static bool execute(sqlite3 *connection, const char *sql)
{
    return sqlite3_exec(connection, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* One integer or text answer to a pragma, as text. */
static bool ask(sqlite3 *connection, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *statement = NULL;
    bool answered = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_ROW;

    if (answered)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return answered;
}

static void harden(sqlite3 *connection)
{
    sqlite3_extended_result_codes(connection, 1);
    /* The schema in the file is data: it may not run what is not plain SQL. */
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
}

static bool configure(sqlite3 *connection)
{
    char mode[16];

    harden(connection);
    return sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS) == SQLITE_OK &&
           ask(connection, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) &&
           strcmp(mode, "wal") == 0 &&
           execute(connection, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                               "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON");
}

static enum error refuse_version(const char *path, long version, char why[WHY_SIZE])
{
    return error_explain(
        why, ERROR_INVALID,
        "the database %s has schema %ld and this Sidelock knows none after %d: run the "
        "newer Sidelock that made it, or move the file away to start afresh",
        path, version, SCHEMA_VERSION);
}

static bool is_known(long version)
{
    return version >= 0 && version <= SCHEMA_VERSION;
}

static enum error migrate(sqlite3 *connection, const char *path, char why[WHY_SIZE])
{
    char text[16];
    bool done = ask(connection, "PRAGMA user_version", text, sizeof(text));
    long version = done ? strtol(text, NULL, 10) : 0;

    if (!is_known(version))
        return refuse_version(path, version, why);
    for (; done && version < SCHEMA_VERSION; version++)
        done = execute(connection, migrations[version]);
    return done ? OK
                : error_explain(why, ERROR_IO, "cannot prepare the database %s: %s", path,
                                sqlite3_errmsg(connection));
}

static enum error check(sqlite3 *connection, const char *path, char why[WHY_SIZE])
{
    char verdict[128];

    if (!configure(connection) ||
        !ask(connection, "PRAGMA quick_check(1)", verdict, sizeof(verdict))) {
        int code = sqlite3_errcode(connection) & 0xff;
        bool damaged = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;

        return error_explain(why, damaged ? ERROR_INVALID : ERROR_IO,
                             "cannot use the database %s: %s", path, sqlite3_errmsg(connection));
    }
    if (strcmp(verdict, "ok") != 0)
        return error_explain(why, ERROR_INVALID,
                             "the database %s is damaged (%s): restore it from a backup", path,
                             verdict);
    return migrate(connection, path, why);
}

#define OPEN_FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW)
#define READ_FLAGS (SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW)

/* Leaves its log alone. SQLITE_OK, or the primary code of what is wrong. */
static int read_version(const char *path, int flags, long *version)
{
    sqlite3 *connection = NULL;
    char text[16] = "";
    int code = sqlite3_open_v2(path, &connection, flags, NULL) & 0xff;

    if (code == SQLITE_OK) {
        harden(connection);
        sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
        sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS);
        if (!ask(connection, "PRAGMA user_version", text, sizeof(text)))
            code = sqlite3_errcode(connection) & 0xff;
    }
    sqlite3_close(connection);
    *version = strtol(text, NULL, 10);
    return code;
}

/*
 * What a later Sidelock has made stays as it is, its log too: whoever may write it would set how it
 * is journalled, and write the log into it at the end. So what cannot be read is not written. What
 * is damaged, or is no database, check() says. What was begun and not ended when its program ended
 * can be taken back by a writer alone, and is by each.
 */
static enum error refuse_later(const char *path, char why[WHY_SIZE])
{
    long version;
    int code = read_version(path, READ_FLAGS, &version);

    if (code == SQLITE_READONLY)
        code = read_version(path, OPEN_FLAGS, &version);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return OK;
    if (code != SQLITE_OK)
        return error_explain(why, ERROR_IO, "cannot read the database %s: %s", path,
                             sqlite3_errstr(code));
    return is_known(version) ? OK : refuse_version(path, version, why);
}

enum error database_open(const char *path, struct sqlite3 **out, char why[WHY_SIZE])
{
    /* SQLite gives its other files the mode of this one. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    sqlite3 *connection = NULL;
    enum error error = OK;

    if (fd >= 0) {
        error = trusted_file_check(fd, path, TRUSTED_FILE_POLICY, why);
        close(fd);
    }
    if (error == OK)
        error = refuse_later(path, why);
    if (error != OK)
        return error;
    if (sqlite3_open_v2(path, &connection, OPEN_FLAGS, NULL) != SQLITE_OK)
        error = error_explain(why, ERROR_IO, "cannot open the database %s: %s", path,
                              sqlite3_errmsg(connection));
    else
        error = check(connection, path, why);
    if (error == OK)
        *out = connection;
    else
        database_close(connection);
    return error;
}

enum error database_open_reader(const char *path, struct sqlite3 **out, char why[WHY_SIZE])
{
    sqlite3 *connection = NULL;

    if (sqlite3_threadsafe() != 0 &&
        sqlite3_open_v2(path, &connection, OPEN_FLAGS, NULL) == SQLITE_OK) {
        harden(connection);
        if (execute(connection, "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY")) {
            *out = connection;
            return OK;
        }
    }
    error_explain(why, ERROR_IO, "cannot read the database %s: %s", path,
                  sqlite3_errmsg(connection));
    database_close(connection);
    return ERROR_IO;
}

void database_close(struct sqlite3 *database)
{
    sqlite3_stmt *prepared;

    while (database != NULL && (prepared = sqlite3_next_stmt(database, NULL)) != NULL)
        sqlite3_finalize(prepared);
    sqlite3_close(database);
}

/* The statement, ready for values; NULL if there is none. */
static sqlite3_stmt *find_statement(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *found = sqlite3_next_stmt(database, NULL);

    while (found != NULL && strcmp(sqlite3_sql(found), sql) != 0)
        found = sqlite3_next_stmt(database, found);
    if (found != NULL && sqlite3_stmt_busy(found)) {
        log_error("the store was asked to run a statement inside itself");
        return NULL;
    }
    if (found == NULL &&
        sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &found, NULL) != SQLITE_OK)
        log_error("the store cannot prepare a statement: %s", sqlite3_errmsg(database));
    return found;
}

static bool bind(sqlite3_stmt *prepared, int place, const struct database_value *value)
{
    const char *data = value->bytes.data;
    int length = (int)value->bytes.length;

    if (value->bytes.length > INT_MAX)
        return false;
    switch (value->kind) {
    case DATABASE_TEXT:
        return sqlite3_bind_text(prepared, place, data, length, SQLITE_STATIC) == SQLITE_OK;
    case DATABASE_INTEGER:
        return sqlite3_bind_int64(prepared, place, value->integer) == SQLITE_OK;
    case DATABASE_BYTES:
        return sqlite3_bind_blob(prepared, place, data, length, SQLITE_STATIC) == SQLITE_OK;
    }
    return false;
}

struct sqlite3_stmt *database_query_with(struct sqlite3 *database, const char *sql,
                                         const struct database_value *values, size_t count)
{
    struct sqlite3_stmt *statement = find_statement(database, sql);

    for (size_t i = 0; statement != NULL && i < count; i++) {
        if (!bind(statement, (int)i + 1, &values[i])) {
            log_error("the store cannot bind: %s", sqlite3_errmsg(database));
            statement_end(statement);
            return NULL;
        }
    }
    return statement;
}

void database_roll_back(struct sqlite3 *database)
{
    if (!sqlite3_get_autocommit(database) && !execute(database, "ROLLBACK"))
        log_error("the store cannot roll back: %s", sqlite3_errmsg(database));
}

size_t database_changes(struct sqlite3 *database)
{
    return (size_t)sqlite3_changes(database);
}

enum error statement_next(struct sqlite3_stmt *statement)
{
    int result;

    if (statement == NULL)
        return ERROR_STATE;
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return OK;
    if (result != SQLITE_DONE && result != SQLITE_CONSTRAINT_PRIMARYKEY &&
        result != SQLITE_CONSTRAINT_UNIQUE)
        log_error("the store failed: %s", sqlite3_errmsg(sqlite3_db_handle(statement)));
    statement_end(statement);
    if (result == SQLITE_DONE)
        return ERROR_NOT_FOUND;
    return result == SQLITE_CONSTRAINT_PRIMARYKEY || result == SQLITE_CONSTRAINT_UNIQUE
               ? ERROR_EXISTS
               : ERROR_IO;
}

enum error database_run_query(struct sqlite3_stmt *statement)
{
    enum error error = statement_next(statement);

    if (error == OK) {
        statement_end(statement);
        return ERROR_STATE;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

void statement_end(struct sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

const char *statement_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

int64_t statement_integer(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

struct span statement_bytes(sqlite3_stmt *statement, int column)
{
    const char *data = sqlite3_column_blob(statement, column);

    return (struct span){data, (size_t)sqlite3_column_bytes(statement, column)};
}
