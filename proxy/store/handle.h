/*
 * What an open store is made of: for the files of this folder.
 *
 *   store.c      opens and closes; directory, lock, keys
 *   records.c    parameter records
 *   sessions.c   sessions, read and listed; changed by session_changes.c
 *   switches.c   kill switches
 *   change.c     a change on its way to the disk
 *   recent.c     sessions that were read last
 *   taken.c      what is taken away already, and not on the disk yet
 *   anchor.c     the head of the audit log, and its key
 *   generation.c whether the database is a restored one
 */
#pragma once

#include "base/lane.h"
#include "base/secret.h"
#include "store/database.h"
#include "store/generation.h"
#include "store/recent.h"
#include "store/taken.h"

#define STORE_DATABASE_NAME "sidelock.db"
#define STORE_KEY_NAME      "key" /* the master key: every other key is derived from it */
#define STORE_PATH_SIZE     4096
/* Changing it makes the MACs of every audit log of before unreadable. */
#define STORE_PURPOSE_AUDIT "sidelock audit log 1"

/* Of a session, in the order in which sessions.c reads them. */
#define STORE_SESSION_COLUMNS                                                                      \
    "id, token_id, surface, params_name, params_digest, created_by, created_at, expires_at,"       \
    " revoked_at, used_at, once, verbs, targets, callers, generation"

struct store {
    int directory_fd;
    int lock_fd; /* an exclusive flock(2) for as long as it is open */
    struct lane *writes, *searches;
    /* A connection each: the owner's thread reads a row or a page, the lanes do the rest. */
    struct sqlite3 *database, *writer, *searcher;
    struct taken taken;
    struct recent recent;
    struct generation generation;
    struct secret_key *token_key;
    struct secret_key *cookie_key;
    struct secret_key *seal_key;
    struct secret_key *audit_key;
};

/* Copies a column into a fixed array. False if it is NULL or too long for it. */
bool store_copy_text(char *out, size_t size, const char *text);
