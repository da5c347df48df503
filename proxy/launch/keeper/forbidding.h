/*
 * What forbids services to be launched, where a trial has not passed: switches of the kernel's,
 * and whoever confines this process.
 */
#pragma once

#include "launch/keeper/trial.h"

/* -1: nothing is said of it. */
struct forbidding {
    long user_namespaces_max;     /* user.max_user_namespaces */
    long network_namespaces_max;  /* user.max_net_namespaces */
    long unprivileged_namespaces; /* kernel.unprivileged_userns_clone: 0 forbids */
    long apparmor_restricts;      /* kernel.apparmor_restrict_unprivileged_userns: 1 does */
    long filtered;                /* 2: a filter of system calls is in force (seccomp(2)) */
};

/* As this process finds them. */
void forbidding_read(struct forbidding *out);
/*
 * What of these stopped the trial, of root or not, in one sentence without its end. Returns what to
 * do about it, static; "": that is not known.
 */
const char *forbidding_blame(const struct forbidding *forbidding, const struct trial *trial,
                             bool root, char why[WHY_SIZE]);
