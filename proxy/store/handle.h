/*
 * What an open store is made of: for the files of this folder.
 *
 *   store.c    opens and closes; directory, lock, keys; kill switches
 *   records.c  parameter records
 *   sessions.c sessions
 */
#pragma once

#include "base/secret.h"
#include "store/database.h"

struct store {
    int directory_fd;
    int lock_fd; /* an exclusive flock(2) for as long as it is open */
    struct sqlite3 *database;
    struct secret_key *token_key;
    struct secret_key *cookie_key;
    struct secret_key *seal_key;
};

/* Copies a column into a fixed array. False if it is NULL or too long for it. */
bool store_copy_text(char *out, size_t size, const char *text);
