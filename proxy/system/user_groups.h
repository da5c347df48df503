/*
 * Which groups a user is in, by the group database (nsswitch.conf(5), getgrouplist(3)): his own
 * and those that name him. What a process has left or taken up since is not seen.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct user_groups {
    uint32_t *gids; /* not NULL of a user who has none */
    size_t count;
};

/*
 * May wait for a directory service. A uid without an entry has no groups. ERROR_IO: the database
 * does not answer; ERROR_MEMORY. *out is the caller's to clear.
 */
enum error user_groups_find(uint32_t uid, struct user_groups *out) MUST_CHECK;
void user_groups_clear(struct user_groups *groups);
/* Loads what the database needs, for whoever may not map code any more. */
void user_groups_load(void);
