#include "store/change.h"

#include "base/log.h"
#include "store/generation.h"

#include <stdlib.h>

static enum error run(struct sqlite3 *database, const char *sql)
{
    return database_run_query(database_query_with(database, sql, NULL, 0));
}

static enum error apply(struct change *change)
{
    struct store *store = change->store;
    enum error error = change->apply(change, store->writer);

    if (error == OK && change->takes_away)
        error = generation_advance(store->writer, &store->generation);
    if (error == OK)
        error = run(store->writer, "COMMIT");
    if (error == OK && change->takes_away)
        store->generation.changes++;
    return error;
}

static void work(struct lane_job *job)
{
    struct change *change = (struct change *)job;
    struct store *store = change->store;
    enum error error = run(store->writer, "BEGIN IMMEDIATE");

    if (error == OK)
        error = apply(change);
    if (error != OK)
        database_roll_back(store->writer);
    else if (change->takes_away)
        error = generation_mirror(store->directory_fd, store->writer, &store->generation);
    change->error = error;
}

static void done(struct lane_job *job)
{
    struct change *change = (struct change *)job;

    recent_change_ends(&change->store->recent);
    if (change->settle != NULL)
        change->settle(change);
    change_fail(change->reply, change->error);
    free(change);
}

void change_give(struct change *change)
{
    change->job.work = work;
    change->job.done = done;
    recent_change_begins(&change->store->recent);
    lane_give(change->store->writes, &change->job);
}

static void nothing(struct lane_job *job)
{
    (void)job;
}

static void turned(struct lane_job *job)
{
    struct change *change = (struct change *)job;

    change_fail(change->reply, OK);
    free(change);
}

void store_turn(struct store *store, struct store_reply reply)
{
    struct change *change = calloc(1, sizeof(*change));

    if (change == NULL) {
        change_fail(reply, ERROR_MEMORY);
        return;
    }
    change->job = (struct lane_job){.work = nothing, .done = turned};
    change->reply = reply;
    lane_give(store->writes, &change->job);
}

void change_fail(struct store_reply reply, enum error error)
{
    if (reply.done != NULL)
        reply.done(reply.context, error);
    else if (error != OK)
        log_error("the store could not keep a change: %s", error_text(error));
}
