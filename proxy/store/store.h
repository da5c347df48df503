/*
 * What survives a restart: the master key, parameter records (values sealed),
 * sessions and kill switches. SQLite in WAL mode; every change is on disk
 * before a call returns. One process at a time holds the store (a lock in its
 * directory). Only the broker opens it.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "policy/session.h"

struct store;

/*
 * Opens the store in a directory, making it (0700), the key file (0600) and
 * the database on first use. ERROR_EXISTS: another process holds it.
 * ERROR_DENIED: the directory or key can be read or written by others.
 * `why` receives one sentence for the operator.
 */
enum error store_open(const char *directory, struct store **out, char why[WHY_SIZE]) MUST_CHECK;
void store_close(struct store *store);

/* The key that signs tokens; lives as long as the store. */
const struct secret_key *store_token_key(const struct store *store);
/* The key of login cookies; likewise. */
const struct secret_key *store_cookie_key(const struct store *store);

/* A parameter record's public part. */
struct store_params {
    char name[TOKEN_NAME_SIZE];
    char surface[TOKEN_NAME_SIZE]; /* "": any surface */
    char digest[SHA256_HEX_SIZE];
    int64_t created_at, updated_at;
};

/* Adds or replaces; the digest is computed here (policy/params.h) and returned in *out. */
enum error store_params_put(struct store *store, const char *name, const char *surface,
                            const char *json, size_t length, int64_t now,
                            struct store_params *out) MUST_CHECK;
/* The public part and, if `json` is not NULL, the unsealed text (wipe it). ERROR_NOT_FOUND,
 * ERROR_CRYPTO if the sealed value was tampered with. */
enum error store_params_get(struct store *store, const char *name, struct store_params *out,
                            struct buffer *json) MUST_CHECK;
enum error store_params_remove(struct store *store, const char *name) MUST_CHECK;
enum error store_params_each(struct store *store,
                             void (*visit)(void *context, const struct store_params *params),
                             void *context) MUST_CHECK;

enum error store_session_add(struct store *store, const struct session *session) MUST_CHECK;
/* Fills an embedded session that the caller clears. */
enum error store_session_get(struct store *store, const char *id, struct session *out) MUST_CHECK;
/* Revoking twice is OK and keeps the first time. ERROR_NOT_FOUND. */
enum error store_session_revoke(struct store *store, const char *id, int64_t now) MUST_CHECK;
/* Revokes every live session, of one surface or (NULL) of all; *count of those changed. */
enum error store_session_revoke_all(struct store *store, const char *surface, int64_t now,
                                    size_t *count) MUST_CHECK;
/*
 * Gives a live session another token id and expiry. ERROR_STATE if it has
 * ended or is single-use and used, ERROR_NOT_FOUND. Durable on return.
 */
enum error store_session_renew(struct store *store, const char *id, const char *token_id,
                               int64_t expires_at, int64_t now) MUST_CHECK;
/*
 * Marks a single-use session used. ERROR_EXISTS if it was used before,
 * ERROR_STATE if it is not single-use. Durable on return.
 */
enum error store_session_use(struct store *store, const char *id, int64_t now) MUST_CHECK;
enum error store_session_each(struct store *store,
                              void (*visit)(void *context, const struct session *session),
                              void *context) MUST_CHECK;
/* Deletes sessions that ended more than a day before `now`. */
enum error store_session_expire(struct store *store, int64_t now) MUST_CHECK;

/* The kill switch of a surface by name; a surface never heard of is armed. */
enum error store_surface_set_killed(struct store *store, const char *surface, bool killed,
                                    int64_t now) MUST_CHECK;
enum error store_surface_killed(struct store *store, const char *surface, bool *killed) MUST_CHECK;
