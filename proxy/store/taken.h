/*
 * What is being taken away: it holds in memory from the moment it is asked for, until the database
 * says the same. What the database could not be told stays here: revoked is revoked, for as long
 * as the process lives. For the files of this folder.
 */
#pragma once

#include "policy/session.h"

/* All zero is empty. */
struct taken {
    void *sessions; /* a tree (tsearch) by id */
    struct taken_all *all;
};

void taken_clear(struct taken *taken);

/* A session is revoked, or used up: `revoked_at` or `used_at`, the other 0. */
enum error taken_add(struct taken *taken, const char *id, int64_t revoked_at,
                     int64_t used_at) MUST_CHECK;
/* The database says what taken_add() said. */
void taken_drop(struct taken *taken, const char *id);

/* Every session of a surface, or ("") of all, that was made until then. NULL without memory. */
struct taken_all *taken_add_all(struct taken *taken, const char *surface, int64_t until);
void taken_drop_all(struct taken *taken, struct taken_all *all);

/* A session as it was read, with what is being taken from it. */
void taken_apply(const struct taken *taken, struct session *session);
