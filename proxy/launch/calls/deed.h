/*
 * A call carried out as the process that made it would have: from its root and its directory,
 * with its umask, as its user. A child of the keeper's does it, on a copy of the socket, with
 * what was read of the call once; so nothing that another thread changes meanwhile counts. It waits
 * as the socket says, and so does the caller, but nobody else.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/execution.h"
#include "launch/calls/question.h"
#include "launch/common/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DEEDS_MAX         32  /* under way at once */
#define DEED_CONNECTS_MAX 256 /* beside them: these may take as long as the other side does */
#define DEEDS_WATCH_MS    50

enum deed_kind {
    DEED_EXECUTE, /* judge one, and nothing else; with the keeper's rights */
    DEED_BIND,
    DEED_LISTEN,
    DEED_CONNECT, /* to what is looked up */
    DEED_DIAL     /* to an address that is the same to everybody: with the keeper's rights */
};

struct deed_row {
    pid_t child;
    enum deed_kind kind;
    bool signalled; /* when it was looked at last */
    struct question question;
    char path[EXECUTION_SHOWN_SIZE]; /* of an execution */
};

struct deeds {
    struct deed_row rows[DEEDS_MAX + DEED_CONNECTS_MAX];
    size_t count, connects;
};

/* What is to be done. */
struct deed {
    enum deed_kind kind;
    int socket, backlog;
    socklen_t length;
    const union address *address;
    const struct execution *execution;
};

/* An errno where it cannot even begin. */
int deed_begin(struct deeds *deeds, const struct question *question, const struct deed *deed);

/* Some child has ended: if it did a deed, that one is taken out; else false. */
bool deed_take(struct deeds *deeds, pid_t child, struct deed_row *out);

/*
 * Of the connects that are under way, those are given up whose caller has gone; and those whose
 * caller has a signal to handle, who is told so, as connect(2) tells it: it may go on by itself.
 * From time to time, as long as there are any.
 */
void deeds_watch(struct deeds *deeds);
