/*
 * The SQLite database under the store, and the only file that knows SQLite.
 * Statements are prepared once and kept; each is known by its SQL.
 *
 * A use of a statement: database_run() for one without rows, else
 * database_query() and statement_next() until it is not OK.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* An open database and one of its statements: SQLite's own, of which only database.c knows more. */
struct sqlite3;
struct sqlite3_stmt;

/*
 * Opens or makes the database and brings its schema up to date. `why` receives
 * one sentence. ERROR_INVALID: not a database, damaged, or of a newer schema.
 */
enum error database_open(const char *path, struct sqlite3 **out, char why[WHY_SIZE]) MUST_CHECK;
/*
 * One more connection to a database that is open: it reads what was committed, never writes and
 * never waits. Connections may be on different threads, each on one at a time.
 */
enum error database_open_reader(const char *path, struct sqlite3 **out,
                                char why[WHY_SIZE]) MUST_CHECK;
void database_close(struct sqlite3 *database);

/* What takes the place of a statement's next parameter. */
struct database_value {
    enum { DATABASE_TEXT = 1, DATABASE_INTEGER, DATABASE_BYTES } kind;
    struct span bytes; /* text, too; data NULL: SQL NULL. Valid until the statement is done */
    int64_t integer;
};
/* NULL: SQL NULL. */
static inline struct database_value database_text(const char *text)
{
    return (struct database_value){.kind = DATABASE_TEXT, .bytes = span_of(text)};
}
static inline struct database_value database_integer(int64_t integer)
{
    return (struct database_value){.kind = DATABASE_INTEGER, .integer = integer};
}
static inline struct database_value database_bytes(struct span bytes)
{
    return (struct database_value){.kind = DATABASE_BYTES, .bytes = bytes};
}

/*
 * Binds a value to each of the statement's parameters, in order. NULL if it cannot
 * be prepared or bound or is in use; statement functions take that NULL and fail.
 */
struct sqlite3_stmt *database_query_with(struct sqlite3 *database, const char *sql,
                                         const struct database_value *values, size_t count);
#define database_query(database, sql, ...)                                                         \
    database_query_with(database, sql, (const struct database_value[]){__VA_ARGS__},               \
                        sizeof((const struct database_value[]){__VA_ARGS__}) /                     \
                            sizeof(struct database_value))
/* Runs a statement that returns no rows. ERROR_EXISTS: a uniqueness constraint. */
enum error database_run_query(struct sqlite3_stmt *statement) MUST_CHECK;
#define database_run(database, sql, ...)                                                           \
    database_run_query(database_query(database, sql, __VA_ARGS__))
/* Ends a transaction that came to nothing, if there is one. */
void database_roll_back(struct sqlite3 *database);
/* Rows changed by the latest database_run. */
size_t database_changes(struct sqlite3 *database);

/* OK: on a row. ERROR_NOT_FOUND: no more rows; on that and on failure the statement is done. */
enum error statement_next(struct sqlite3_stmt *statement) MUST_CHECK;
/* Ends a statement before its last row. */
void statement_end(struct sqlite3_stmt *statement);

/* Columns of the present row, from 0; texts and bytes live until the next step. */
const char *statement_text(struct sqlite3_stmt *statement, int column); /* NULL: SQL NULL */
int64_t statement_integer(struct sqlite3_stmt *statement, int column);
struct span statement_bytes(struct sqlite3_stmt *statement, int column);
