/*
 * Which history the sessions of a store belong to, so that a database restored from a backup does
 * not revive what was revoked since: for the files of this folder.
 *
 * The database counts each change that takes something away, in the same transaction. The file
 * `generation` beside it is written anew after each, and says the same. A database that is behind
 * its file, or has another id, or has sessions and no file, was restored: it gets a new id, and
 * whatever has another id is dead. Kill switches that were on before stay on: the file names them.
 * A crash between the two leaves the database ahead, which is mended at the next start.
 *
 * The file is one line "ID CHANGES", and one "killed NAME" for each switch that is on.
 */
#pragma once

#include "policy/token.h"
#include "store/database.h"

#include <stdbool.h>

#define GENERATION_FILE "generation"

struct generation {
    char id[TOKEN_ID_SIZE]; /* constant once open */
    int64_t changes;        /* the writing thread's */
    int64_t restored_at;    /* when it was found to be a restored one; 0: never */
    bool restored_now;      /* at this start */
};

/*
 * Reads both and mends what differs; durable on return. `directory_fd` is of the directory with the
 * file, `path` its name for the sentence in `why`. ERROR_IO.
 */
enum error generation_open(int directory_fd, const char *directory, struct sqlite3 *database,
                           int64_t now, struct generation *out, char why[WHY_SIZE]) MUST_CHECK;

/* Within the transaction of a change: it is one more. `changes` counts once that is committed. */
enum error generation_advance(struct sqlite3 *database,
                              const struct generation *generation) MUST_CHECK;
/* After it: the file says the same. ERROR_IO: it still says what was before. */
enum error generation_mirror(int directory_fd, struct sqlite3 *database,
                             const struct generation *generation) MUST_CHECK;
