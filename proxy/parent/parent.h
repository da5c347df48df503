/*
 * What `sidelock serve` becomes: the parent of the broker and of the workers. It opens what the
 * operator's file names and starts this very program anew, and does nothing else: it has no key,
 * reads no byte that a client sent, and is in no request's way. It is no more fenced than the
 * operator is, so that the broker can be.
 */
#pragma once

#include "parent/alone.h"
#include "setup/bundle.h"

/* Descriptors a broker finds open beside 0 to 2; the last one if somebody waits for readiness. */
#define PARENT_FILES_FD   3
#define PARENT_WORKERS_FD 4
#define PARENT_CONFIG_FD  5
#define PARENT_READY_FD   6
/* argv[1] of the program that becomes the broker, and another if there is a PARENT_READY_FD. */
#define PARENT_BROKER_VERB "broker"
#define PARENT_BROKER_TELL "ready"
/* A further argument: everything is to be killed, because of what came. */
#define PARENT_BROKER_FILE   "lockdown-by-file"
#define PARENT_BROKER_SIGNAL "lockdown-by-signal"

struct parent_options {
    struct config_bundle *bundle;      /* read, checked and sealed; taken over */
    int ready_fd;                      /* -1: nobody asked; taken over */
    bool at_terminal;                  /* the bundle is `sidelock wrap`'s, not an operator's file */
    const struct alone_options *alone; /* the one service of this gate; NULL: it has no such */
};

/*
 * Until the broker has ended: SIGTERM and SIGINT ask it to, SIGHUP to read anew. SIGUSR2, and the
 * file of system/lockdown.h, are not the broker's to hear, for it may hear nothing: it is killed
 * with all workers, whatever state they are in, and another begins by killing every surface. The
 * exit code is the broker's; EX_SOFTWARE where it was killed otherwise. With a service that is
 * alone it ends when that has ended, and the exit code is the service's. No child outlives this.
 */
int parent_run(const struct parent_options *options);
