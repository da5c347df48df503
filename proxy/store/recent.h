/*
 * Sessions as they were read last, for those who come often. They are as the database has them
 * until something is written, and nobody else writes: the store is locked. So whatever is to be
 * written empties this, and nothing is kept before it is done. For the files of this folder.
 */
#pragma once

#include "policy/session.h"

#define RECENT_SESSIONS_MAX 1024

/* All zero is empty. */
struct recent {
    struct session *places[RECENT_SESSIONS_MAX]; /* by the hash of the id; owned */
    size_t count;
    unsigned changes; /* that are under way */
};

void recent_clear(struct recent *recent);
/* A change is under way: nothing is kept until as many have ended as have begun. */
void recent_change_begins(struct recent *recent);
void recent_change_ends(struct recent *recent);

/* Without lists of its own it is kept, if there is memory; in the place of whoever has it. */
void recent_add(struct recent *recent, const struct session *session);
/* NULL: it is to be read. */
const struct session *recent_find(const struct recent *recent, const char *id);
