/*
 * What survives a restart: the master key, parameter records (values sealed), sessions and kill
 * switches. SQLite in WAL mode. One process at a time holds the store (a lock in its directory).
 * Only the broker opens it.
 *
 * Nothing here waits for the disk but opening and closing. Two kinds of call:
 *
 * - What reads returns at once: a row, or a page of a list, as it was last committed.
 * - What changes or counts takes a `struct store_reply` and is done on a thread of its own, changes
 *   in the order in which they were asked for. `done` is called once, on the thread that owns the
 *   store, out of lane_reap(): after a change is on the disk, or with the reason why it never
 *   will be. It may be called before the function returns, if nothing had to be written.
 *
 * What takes away (revoking, using up) holds for every read from the moment it is asked for, and
 * goes on holding if the disk could not be told.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "policy/session.h"
#include "system/audit_line.h"

struct lane;
struct store;

/* Who hears how it ended. `done` NULL: nobody; a failure is logged. */
struct store_reply {
    void (*done)(void *context, enum error error);
    void *context;
};

/* Active sessions, counted per surface. */
#define STORE_TALLY_SURFACES_MAX 256 /* whose sessions are told apart; `active` has all */

struct store_tally {
    size_t active;
    size_t count; /* of rows */
    struct store_tally_row {
        char surface[TOKEN_NAME_SIZE];
        size_t active, any_caller; /* of these, without callers of their own */
    } rows[STORE_TALLY_SURFACES_MAX];
};

/*
 * Opens the store in a directory, making it (0700), the key file (0600) and
 * the database on first use. ERROR_EXISTS: another process holds it.
 * ERROR_DENIED: the directory or key can be read or written by others.
 * `why` receives one sentence for the operator.
 */
enum error store_open(const char *directory, struct store **out, char why[WHY_SIZE]) MUST_CHECK;
/*
 * Whether it could be opened, as far as can be seen without making or changing anything. A
 * directory that is not there is good.
 */
enum error store_check(const char *directory, char why[WHY_SIZE]) MUST_CHECK;
/* After store_finish(). */
void store_close(struct store *store);
/* The threads, for whoever watches lane_fd() of each and calls lane_reap(). */
struct lane *store_writes(const struct store *store);
struct lane *store_searches(const struct store *store);
/* Waits until all that was asked for is done and told. */
void store_finish(struct store *store);

/* The key that signs tokens; lives as long as the store. */
const struct secret_key *store_token_key(const struct store *store);
/* The key of login cookies; likewise. */
const struct secret_key *store_cookie_key(const struct store *store);

/*
 * Which history of the store goes on: tokens carry it. A store that was restored from a backup
 * begins another, and the sessions of before are dead (`restored`). When that was found last,
 * 0: never; and whether at this start.
 */
const char *store_generation(const struct store *store);
int64_t store_restored_at(const struct store *store, bool *now);

/* A parameter record's public part. */
struct store_params {
    char name[TOKEN_NAME_SIZE];
    char surface[TOKEN_NAME_SIZE]; /* "": any surface */
    char digest[SHA256_HEX_SIZE];
    int64_t created_at, updated_at;
};

/* The public part and, if `json` is not NULL, the unsealed text (wipe it). ERROR_NOT_FOUND,
 * ERROR_CRYPTO if the sealed value was tampered with. */
enum error store_params_get(struct store *store, const char *name, struct store_params *out,
                            struct buffer *json) MUST_CHECK;
/* Those whose names come after `after` ("": all), in order, until `visit` says false. */
enum error store_params_after(struct store *store, const char *after,
                              bool (*visit)(void *context, const struct store_params *params),
                              void *context) MUST_CHECK;
/*
 * Adds or replaces; the digest is computed here (policy/params.h). *out, which lives until `done`,
 * is set before it is called with OK. Live sessions of surfaces that the record is no longer
 * for are revoked with it.
 */
void store_params_put(struct store *store, const char *name, const char *surface, const char *json,
                      size_t length, int64_t now, struct store_params *out,
                      struct store_reply reply);
void store_params_remove(struct store *store, const char *name, struct store_reply reply);

/* Fills an embedded session that the caller clears. */
enum error store_session_get(struct store *store, const char *id, struct session *out) MUST_CHECK;
/*
 * A page of the sessions in order of age: those after one that was made at `created_at` and has an
 * id (0 and "": all), until `visit` says false.
 */
enum error store_sessions_after(struct store *store, int64_t created_at, const char *id,
                                bool (*visit)(void *context, const struct session *session),
                                void *context) MUST_CHECK;
/* The same of those that name a record and have not expired, in order of their ids. */
enum error store_sessions_with(struct store *store, const char *params_name, const char *after,
                               int64_t now,
                               bool (*visit)(void *context, const struct session *session),
                               void *context) MUST_CHECK;

/* ERROR_INVALID, ERROR_LIMIT: not a session that can be; ERROR_EXISTS. */
void store_session_add(struct store *store, const struct session *session,
                       struct store_reply reply);
/* The same if its surface has fewer that live, else ERROR_DENIED; 0: however many there are. */
void store_session_add_within(struct store *store, const struct session *session, uint32_t at_most,
                              struct store_reply reply);
/* Revoking twice is OK and keeps the first time. ERROR_NOT_FOUND. */
void store_session_revoke(struct store *store, const char *id, int64_t now,
                          struct store_reply reply);
/*
 * Revokes every live session, of one surface or (NULL) of all. *count of those changed is set
 * before `done` is called with OK.
 */
void store_session_revoke_all(struct store *store, const char *surface, int64_t now, size_t *count,
                              struct store_reply reply);
/*
 * Gives a live session another token id and expiry. ERROR_STATE if it has
 * ended or is single-use and used, ERROR_NOT_FOUND.
 */
void store_session_renew(struct store *store, const char *id, const char *token_id,
                         int64_t expires_at, int64_t now, struct store_reply reply);
/*
 * Marks a single-use session used. ERROR_EXISTS if it was used before,
 * ERROR_STATE if it is not single-use.
 */
void store_session_use(struct store *store, const char *id, int64_t now, struct store_reply reply);
/* Deletes sessions that ended more than a day before `now`, a few at a time. */
void store_session_expire(struct store *store, int64_t now, struct store_reply reply);

/* *out, which lives until `done`, is set before it is called with OK. */
void store_session_tally(struct store *store, int64_t now, struct store_tally *out,
                         struct store_reply reply);

/* Changes nothing: `done` comes in a later turn, after what was asked for before. */
void store_turn(struct store *store, struct store_reply reply);

/* The kill switch of a surface by name; a surface never heard of is armed. */
enum error store_surface_killed(struct store *store, const char *surface, bool *killed) MUST_CHECK;
void store_surface_set_killed(struct store *store, const char *surface, bool killed, int64_t now,
                              struct store_reply reply);

/* The key of the audit log's MACs; lives as long as the store. */
const struct secret_key *store_audit_key(const struct store *store);
/* Sequence 0: there is none yet. */
enum error store_audit_anchor_get(struct store *store, struct audit_anchor *out) MUST_CHECK;
/* After what lies in `sync_fd` (taken over; -1: nothing) is on the disk. */
void store_audit_anchor_put(struct store *store, const struct audit_anchor *anchor, int sync_fd,
                            struct store_reply reply);
/*
 * Both out of a store's directory, for who may read it: a gate may be running there.
 * ERROR_NOT_FOUND: there is none, or none that may be read. The key is the caller's.
 */
enum error store_audit_look(const char *directory, struct secret_key **key,
                            struct audit_anchor *anchor) MUST_CHECK;
