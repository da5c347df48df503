/*
 * The SQLite database under the store, and the only file that knows SQLite.
 * Statements are prepared once and kept; each is known by the address of its
 * SQL, so SQL must be a constant.
 *
 * A use of a statement: database_query, bind every parameter in order, then
 * either statement_run (no rows) or statement_next until it is not OK.
 */
#ifndef SIDELOCK_STORE_DATABASE_H
#define SIDELOCK_STORE_DATABASE_H

#include "base/error.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

#define DATABASE_STATEMENTS_MAX 32

struct database;
struct statement;

/*
 * Opens or makes the database and brings its schema up to date. `why` receives
 * one sentence. ERROR_INVALID: not a database, damaged, or of a newer schema.
 */
enum error database_open(const char *path, struct database **out, char *why,
                         size_t why_size) MUST_CHECK;
void database_close(struct database *database);

/* NULL if it cannot be prepared or is in use; statement functions take that NULL and fail. */
struct statement *database_query(struct database *database, const char *sql);
/* Rows changed by the latest statement_run. */
size_t database_changes(const struct database *database);

/* Bind the next parameter. Bytes must stay valid until the statement is done. */
void statement_bind_text(struct statement *statement, const char *text); /* NULL: SQL NULL */
void statement_bind_integer(struct statement *statement, int64_t value);
void statement_bind_bytes(struct statement *statement, struct span bytes);

/* Runs a statement that returns no rows. ERROR_EXISTS: a uniqueness constraint. */
enum error statement_run(struct statement *statement) MUST_CHECK;
/* OK: on a row. ERROR_NOT_FOUND: no more rows; on that and on failure the statement is done. */
enum error statement_next(struct statement *statement) MUST_CHECK;
/* Ends a statement before its last row. */
void statement_end(struct statement *statement);

/* Columns of the present row, from 0; texts and bytes live until the next step. */
const char *statement_text(const struct statement *statement, int column); /* NULL: SQL NULL */
int64_t statement_integer(const struct statement *statement, int column);
struct span statement_bytes(const struct statement *statement, int column);

#endif
