/*
 * The launcher, as the parent has it: the process that forks it (launch/supervise/starter.h), made
 * before the parent takes its own fences, which services would inherit. It waits until a surface
 * has a command.
 */
#pragma once

#include "ipc/channel.h"
#include "ipc/errand.h"
#include "setup/bundle.h"

#include <sys/types.h>

struct launching {
    pid_t pid;                          /* 0: there is none, and there will be none */
    struct channel *channel;            /* to it; NULL: it is not heard */
    int pidfd;                          /* of the one that it forked last; -1: of none */
    struct channel *launcher;           /* to it; NULL: there is none */
    const struct config_bundle *bundle; /* in force; borrowed until the next */
    bool at_terminal; /* the configuration is `sidelock wrap`'s, not a file of the operator's */
    bool wanted;      /* there is to be a launcher */
    bool looks;       /* there is to be a looker (launch/supervise/looking.h) */
    unsigned stops;   /* how often it was told to end */
};

/* All zero before. */
enum error launching_start(struct launching *launching) MUST_CHECK;
/*
 * What is in force: a launcher is told, or begun with where a surface has a command; and a looker,
 * where one has rules about programs that call.
 */
void launching_follow(struct launching *launching, const struct config_bundle *bundle);
/*
 * Hears one thing that it says; false: there is nothing more now. *fd (-1: nothing) is what the
 * broker is to have of a launcher, the caller's, and *what is to be said with it.
 */
bool launching_hear(struct launching *launching, struct errand *what, int *fd);

/* A child has ended. False: it was another one. */
bool launching_reap(struct launching *launching, pid_t pid);

/* The launcher, at once, whatever state it is in: another one follows. */
void launching_kill(struct launching *launching);
/*
 * Ends it, and waits: services are given their time, unless somebody is in a hurry, or a signal to
 * end comes by `signals` (signalfd(2)).
 */
void launching_finish(struct launching *launching, int signals, bool hurry);
/* Kills it, and waits for it. */
void launching_end(struct launching *launching);
