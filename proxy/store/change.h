/*
 * A change on its way to the disk: for the files of this folder. It is made in memory, applied
 * on the lane of writes in a transaction of its own, and answered on the owner's thread.
 */
#pragma once

#include "base/lane.h"
#include "store/handle.h"
#include "store/store.h"

struct change {
    struct lane_job job;
    struct store *store;
    /* On the lane, within the transaction; ERROR_* takes it back. */
    enum error (*apply)(struct change *change, struct sqlite3 *database);
    /* On the owner's thread, before the reply; NULL: nothing is to be done. Releases what it owns.
     */
    void (*settle)(struct change *change);
    struct store_reply reply;
    bool takes_away; /* a store without it would let in who must not be: generation.h */
    enum error error;
};

/* Takes over a change that malloc() gave, with all but `job` and `error` set. */
void change_give(struct change *change);
/* Answers what never became one. */
void change_fail(struct store_reply reply, enum error error);
