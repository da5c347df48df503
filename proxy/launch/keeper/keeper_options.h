/* What a keeper is given. */
#pragma once

#include "launch/keeper/leader.h"

#include <stdbool.h>
#include <sys/types.h>

struct keeper_options {
    int channel;             /* to the parent */
    int command;             /* a packed command (command.h) */
    leader_program *program; /* what runs instead of its program; NULL: that */
    int standard[STANDARD_COUNT];
    int record; /* where what the tree does is told (launch/common/record.h); -1: nobody learns it
                 */
    int way_in; /* into its control group (tree_group.h); -1: it has none */
    uint32_t limits; /* which fences that holds */
    bool user_namespace;
    uid_t uid; /* who the tree is, in a user namespace */
    gid_t gid;
};
