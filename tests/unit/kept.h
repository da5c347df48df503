/* A change of the store, waited for: KEPT(store, store_session_add, &session) is how it ended. */
#pragma once

#include "store/store.h"
#include "unit.h"

static struct {
    unsigned calls;
    enum error error;
} kept;

static inline void kept_done(void *context, enum error error)
{
    (void)context;
    kept.calls++;
    kept.error = error;
}

static inline struct store_reply kept_reply(void)
{
    kept.calls = 0;
    return (struct store_reply){kept_done, NULL};
}

static inline enum error kept_finish(struct store *store)
{
    store_finish(store);
    if (kept.calls != 1)
        fail_msg("told %u times how it ended", kept.calls);
    return kept.error;
}

#define KEPT(store, change, ...) (change(store, __VA_ARGS__, kept_reply()), kept_finish(store))
