/*
 * A store in a directory of its own, for the tests of the store. Every test of
 * such a file runs between store_fixture_make and store_fixture_drop.
 */
#pragma once

#include "kept.h"
#include "store/database.h"
#include "store/store.h"
#include "temporary.h"
#include "unit.h"

#include <stdint.h>

#define NOW              1700000000
#define STORE_TEST(test) TEST_BETWEEN(test, store_fixture_make, store_fixture_drop)

struct fixture {
    char root[TEMPORARY_PATH_SIZE];
    char directory[TEMPORARY_PATH_SIZE + 16]; /* not made yet */
    struct store *store;
    char why[WHY_SIZE];
};

static inline enum error open_store(struct fixture *fixture)
{
    fixture->store = NULL;
    fixture->why[0] = '\0';
    return store_open(fixture->directory, &fixture->store, fixture->why);
}

static inline void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static inline void reopen(struct fixture *fixture)
{
    close_store(fixture);
    if (open_store(fixture) != OK)
        fail_msg("%s", fixture->why);
}

static inline int store_fixture_make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL || temporary_make(fixture->root) == NULL)
        return -1;
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/state", fixture->root);
    *state = fixture;
    return open_store(fixture) == OK ? 0 : -1;
}

static inline int store_fixture_drop(void **state)
{
    struct fixture *fixture = *state;

    close_store(fixture);
    temporary_remove(fixture->root);
    free(fixture);
    return 0;
}

static inline void path_of(const struct fixture *fixture, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", fixture->directory, name);
}

static inline void run_sql(const struct fixture *fixture, const char *sql)
{
    struct sqlite3 *database;
    struct sqlite3_stmt *statement;
    char path[512], why[WHY_SIZE];
    enum error error;

    path_of(fixture, "sidelock.db", path, sizeof(path));
    assert_int_equal(database_open(path, &database, why), OK);
    statement = database_query(database, sql);
    do {
        error = statement_next(statement);
    } while (error == OK);
    assert_int_equal(error, ERROR_NOT_FOUND);
    database_close(database);
}
