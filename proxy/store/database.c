#include "store/database.h"

#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 2000

struct statement {
    struct database *database;
    const char *sql;
    sqlite3_stmt *prepared;
};

struct database {
    sqlite3 *connection;
    struct statement statements[DATABASE_STATEMENTS_MAX];
    size_t statement_count;
};

/* Schema 1. Times are seconds since the epoch; lists are JSON text, NULL for no list. */
static const char schema_1[] =
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
    " changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* migrations[n] brings schema n to n + 1. A published entry is never changed. */
static const char *const migrations[] = {schema_1};
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

static bool configure(sqlite3 *connection)
{
    char mode[16];

    sqlite3_extended_result_codes(connection, 1);
    /* The schema in the file is data: it may not run what is not plain SQL. */
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    return sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS) == SQLITE_OK &&
           ask(connection, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) &&
           strcmp(mode, "wal") == 0 && execute(connection, "PRAGMA synchronous = FULL") &&
           execute(connection, "PRAGMA foreign_keys = ON") &&
           execute(connection, "PRAGMA temp_store = MEMORY") &&
           execute(connection, "PRAGMA secure_delete = ON");
}

/* One step of the schema, whole or not at all. */
static bool migrate_step(sqlite3 *connection, int version)
{
    char pragma[48];

    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version + 1);
    if (execute(connection, "BEGIN IMMEDIATE") && execute(connection, migrations[version]) &&
        execute(connection, pragma) && execute(connection, "COMMIT"))
        return true;
    return false;
}

static enum error migrate(sqlite3 *connection, const char *path, char *why, size_t why_size)
{
    char text[16];
    long version;

    if (!ask(connection, "PRAGMA user_version", text, sizeof(text)))
        goto failed;
    version = strtol(text, NULL, 10);
    if (version < 0 || version > SCHEMA_VERSION) {
        snprintf(why, why_size,
                 "the database %s has schema %ld and this Sidelock knows none after %d: run the "
                 "newer Sidelock that made it, or move the file away to start afresh",
                 path, version, SCHEMA_VERSION);
        return ERROR_INVALID;
    }
    for (; version < SCHEMA_VERSION; version++) {
        if (!migrate_step(connection, (int)version))
            goto failed;
    }
    return OK;
failed:
    snprintf(why, why_size, "cannot prepare the database %s: %s", path, sqlite3_errmsg(connection));
    return ERROR_IO;
}

static enum error check(sqlite3 *connection, const char *path, char *why, size_t why_size)
{
    char verdict[128];

    if (!configure(connection) ||
        !ask(connection, "PRAGMA quick_check(1)", verdict, sizeof(verdict))) {
        bool damaged = (sqlite3_errcode(connection) & 0xff) == SQLITE_NOTADB ||
                       (sqlite3_errcode(connection) & 0xff) == SQLITE_CORRUPT;

        snprintf(why, why_size, "cannot use the database %s: %s", path, sqlite3_errmsg(connection));
        return damaged ? ERROR_INVALID : ERROR_IO;
    }
    if (strcmp(verdict, "ok") != 0) {
        snprintf(why, why_size, "the database %s is damaged (%s): restore it from a backup", path,
                 verdict);
        return ERROR_INVALID;
    }
    return migrate(connection, path, why, why_size);
}

enum error database_open(const char *path, struct database **out, char *why, size_t why_size)
{
    struct database *database = calloc(1, sizeof(*database));
    enum error error;
    int fd;

    if (database == NULL) {
        snprintf(why, why_size, "out of memory");
        return ERROR_MEMORY;
    }
    /* SQLite gives its other files the mode of this one. */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd >= 0)
        close(fd);
    if (sqlite3_open_v2(path, &database->connection,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK) {
        snprintf(why, why_size, "cannot open the database %s: %s", path,
                 database->connection != NULL ? sqlite3_errmsg(database->connection)
                                              : "out of memory");
        error = ERROR_IO;
    } else {
        error = check(database->connection, path, why, why_size);
    }
    if (error != OK) {
        database_close(database);
        return error;
    }
    *out = database;
    return OK;
}

void database_close(struct database *database)
{
    if (database == NULL)
        return;
    for (size_t i = 0; i < database->statement_count; i++)
        sqlite3_finalize(database->statements[i].prepared);
    sqlite3_close(database->connection);
    free(database);
}

static struct statement *prepare(struct database *database, const char *sql)
{
    struct statement *statement;

    if (database->statement_count == DATABASE_STATEMENTS_MAX) {
        log_error("the store has no room for another statement");
        return NULL;
    }
    statement = &database->statements[database->statement_count];
    *statement = (struct statement){.database = database, .sql = sql};
    if (sqlite3_prepare_v3(database->connection, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &statement->prepared, NULL) != SQLITE_OK) {
        log_error("the store cannot prepare a statement: %s", sqlite3_errmsg(database->connection));
        return NULL;
    }
    database->statement_count++;
    return statement;
}

/* The statement, ready for values; NULL if there is none. */
static struct statement *find_statement(struct database *database, const char *sql)
{
    for (size_t i = 0; i < database->statement_count; i++) {
        struct statement *statement = &database->statements[i];

        if (statement->sql != sql)
            continue;
        if (!sqlite3_stmt_busy(statement->prepared))
            return statement;
        log_error("the store was asked to run a statement inside itself");
        return NULL;
    }
    return prepare(database, sql);
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

struct statement *database_query_with(struct database *database, const char *sql,
                                      const struct database_value *values, size_t count)
{
    struct statement *statement = find_statement(database, sql);

    for (size_t i = 0; statement != NULL && i < count; i++) {
        if (!bind(statement->prepared, (int)i + 1, &values[i])) {
            log_error("the store cannot bind: %s", sqlite3_errmsg(database->connection));
            statement_end(statement);
            return NULL;
        }
    }
    return statement;
}

size_t database_changes(const struct database *database)
{
    return (size_t)sqlite3_changes(database->connection);
}

enum error statement_next(struct statement *statement)
{
    int result;

    if (statement == NULL)
        return ERROR_STATE;
    result = sqlite3_step(statement->prepared);
    if (result == SQLITE_ROW)
        return OK;
    if (result != SQLITE_DONE && result != SQLITE_CONSTRAINT_PRIMARYKEY &&
        result != SQLITE_CONSTRAINT_UNIQUE)
        log_error("the store failed: %s", sqlite3_errmsg(statement->database->connection));
    statement_end(statement);
    if (result == SQLITE_DONE)
        return ERROR_NOT_FOUND;
    return result == SQLITE_CONSTRAINT_PRIMARYKEY || result == SQLITE_CONSTRAINT_UNIQUE
               ? ERROR_EXISTS
               : ERROR_IO;
}

enum error database_run_query(struct statement *statement)
{
    enum error error = statement_next(statement);

    if (error == OK) {
        statement_end(statement);
        return ERROR_STATE;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

void statement_end(struct statement *statement)
{
    if (statement == NULL)
        return;
    sqlite3_reset(statement->prepared);
    sqlite3_clear_bindings(statement->prepared);
}

const char *statement_text(const struct statement *statement, int column)
{
    return (const char *)sqlite3_column_text(statement->prepared, column);
}

int64_t statement_integer(const struct statement *statement, int column)
{
    return sqlite3_column_int64(statement->prepared, column);
}

struct span statement_bytes(const struct statement *statement, int column)
{
    const char *data = sqlite3_column_blob(statement->prepared, column);

    return (struct span){data, (size_t)sqlite3_column_bytes(statement->prepared, column)};
}
