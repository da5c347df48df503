/*
 * Sessions in the store (store.h), changed: made, renewed, used up, revoked, deleted; and counted.
 * Called by the broker's operations and by admission.
 */
#include "store/change.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDED_KEPT_S 86400 /* how long an ended session stays listed */
#define EXPIRE_ROWS  200   /* deleted in one transaction: what comes after it must not wait long */

/* The three optional lists of a session as JSON texts; NULL stands for no list. */
struct lists {
    char *verbs, *targets, *callers;
};

static void lists_clear(struct lists *lists)
{
    free(lists->verbs);
    free(lists->targets);
    free(lists->callers);
    *lists = (struct lists){0};
}

/* Takes the array over. An element is missing where its text is not UTF-8. */
static enum error dump(json_t *array, size_t wanted, char **out)
{
    bool whole = json_array_size(array) == wanted;

    *out = whole ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    if (!whole)
        return ERROR_INVALID;
    return *out != NULL ? OK : ERROR_MEMORY;
}

static enum error dump_texts(const struct text_list *list, char **out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        (void)json_array_append_new(array, json_string(list->items[i]));
    return dump(array, list->count, out);
}

static enum error dump_callers(const struct session *session, char **out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < session->caller_count; i++)
        (void)json_array_append_new(array, json_integer(session->callers[i]));
    return dump(array, session->caller_count, out);
}

static enum error dump_lists(const struct session *session, struct lists *out)
{
    enum error error = OK;

    if (session->verbs_set)
        error = dump_texts(&session->verbs, &out->verbs);
    if (error == OK && session->targets_set)
        error = dump_texts(&session->targets, &out->targets);
    if (error == OK && session->callers_set)
        error = dump_callers(session, &out->callers);
    if (error != OK)
        lists_clear(out);
    return error;
}

/* One change. Its session is a copy without the lists. */
struct session_change {
    struct change change; /* first */
    struct session session;
    struct lists lists;
    int64_t now;
    uint32_t at_most;      /* with which there is room for one that is made; 0: always */
    bool any_surface;      /* of those that are revoked */
    struct taken_all *all; /* while they are */
    size_t count, *count_out;
};

static struct session_change *of(struct change *change)
{
    return (struct session_change *)change;
}

/* A change of the session with an id, to be filled in; NULL without memory: that was answered. */
static struct session_change *begin(struct store *store, const char *id, int64_t now,
                                    struct store_reply reply)
{
    struct session_change *begun = calloc(1, sizeof(*begun));

    if (begun == NULL) {
        change_fail(reply, ERROR_MEMORY);
        return NULL;
    }
    begun->change.store = store;
    begun->change.reply = reply;
    begun->now = now;
    snprintf(begun->session.id, sizeof(begun->session.id), "%s", id);
    return begun;
}

/* ---- Made ---- */

static enum error check_session(const struct session *session)
{
    if (!token_id_valid(session->id) || !token_id_valid(session->token_id) ||
        !text_is_name(session->surface) || !token_digest_valid(session->params_digest) ||
        (session->params_name[0] != '\0' && !text_is_name(session->params_name)) ||
        session->created_at <= 0 || session->expires_at <= session->created_at)
        return ERROR_INVALID;
    if (session->verbs.count > SESSION_LIST_MAX || session->targets.count > SESSION_LIST_MAX ||
        session->caller_count > SESSION_CALLERS_MAX)
        return ERROR_LIMIT;
    return OK;
}

/* Whether there is room for one more; they are counted no further than that. */
static enum error check_room(struct change *change, struct sqlite3 *database)
{
    static const char sql[] =
        "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE surface = ? AND generation = ?"
        " AND expires_at > ? AND revoked_at = 0 AND used_at = 0 LIMIT ?)";
    const struct session *session = &of(change)->session;
    const int64_t at_most = of(change)->at_most;
    struct sqlite3_stmt *row;
    enum error error;

    if (at_most == 0)
        return OK;
    row = database_query(database, sql, database_text(session->surface),
                         database_text(change->store->generation.id),
                         database_integer(session->created_at), database_integer(at_most));
    error = statement_next(row);
    if (error != OK)
        return error;
    error = statement_integer(row, 0) < at_most ? OK : ERROR_DENIED;
    statement_end(row);
    return error;
}

static enum error insert_session(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "INSERT INTO sessions (" STORE_SESSION_COLUMNS ")"
                              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const struct session *session = &of(change)->session;
    const struct lists *lists = &of(change)->lists;
    enum error error = check_room(change, database);

    if (error != OK)
        return error;
    return database_run(
        database, sql, database_text(session->id), database_text(session->token_id),
        database_text(session->surface), database_text(session->params_name),
        database_text(session->params_digest), database_integer(session->created_by),
        database_integer(session->created_at), database_integer(session->expires_at),
        database_integer(session->revoked_at), database_integer(session->used_at),
        database_integer(session->once), database_text(lists->verbs), database_text(lists->targets),
        database_text(lists->callers), database_text(change->store->generation.id));
}

static void clear_lists(struct change *change)
{
    lists_clear(&of(change)->lists);
}

void store_session_add(struct store *store, const struct session *session, struct store_reply reply)
{
    store_session_add_within(store, session, 0, reply);
}

void store_session_add_within(struct store *store, const struct session *session, uint32_t at_most,
                              struct store_reply reply)
{
    struct lists lists = {0};
    enum error error = check_session(session);
    struct session_change *added;

    if (error == OK)
        error = dump_lists(session, &lists);
    if (error != OK) {
        change_fail(reply, error);
        return;
    }
    added = begin(store, session->id, 0, reply);
    if (added == NULL) {
        lists_clear(&lists);
        return;
    }
    added->session = *session;
    added->session.verbs = added->session.targets = (struct text_list){NULL, 0};
    added->lists = lists;
    added->at_most = at_most;
    added->change.apply = insert_session;
    added->change.settle = clear_lists;
    change_give(&added->change);
}

/* ---- Changed ---- */

/*
 * Runs an update of one session. Where it changes nothing, nothing is taken away either:
 * ERROR_NOT_FOUND, or what that means of a session that is single-use, or is not.
 */
static enum error update(struct change *change, struct sqlite3 *database,
                         struct sqlite3_stmt *statement, enum error single_use,
                         enum error any_other)
{
    static const char sql[] = "SELECT once FROM sessions WHERE id = ?";
    enum error error = database_run_query(statement);

    if (error != OK || database_changes(database) > 0)
        return error;
    change->takes_away = false;
    statement = database_query(database, sql, database_text(of(change)->session.id));
    error = statement_next(statement);
    if (error != OK)
        return error;
    error = statement_integer(statement, 0) != 0 ? single_use : any_other;
    statement_end(statement);
    return error;
}

/* What the disk was told need not be kept in memory; nor what there was nothing of. */
static void drop_taken(struct change *change)
{
    if (change->error == OK || change->error == ERROR_NOT_FOUND || change->error == ERROR_EXISTS ||
        change->error == ERROR_STATE)
        taken_drop(&change->store->taken, of(change)->session.id);
}

/* Gives a change that takes something away, in memory at once. */
static void give_taking(struct session_change *taking, int64_t revoked_at, int64_t used_at)
{
    struct change *change = &taking->change;

    if (taken_add(&change->store->taken, taking->session.id, revoked_at, used_at) != OK) {
        change_fail(change->reply, ERROR_MEMORY);
        free(taking);
        return;
    }
    change->takes_away = true;
    change->settle = drop_taken;
    change_give(change);
}

static enum error revoke(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "UPDATE sessions SET revoked_at = ? WHERE id = ? AND revoked_at = 0";
    struct sqlite3_stmt *statement = database_query(
        database, sql, database_integer(of(change)->now), database_text(of(change)->session.id));

    return update(change, database, statement, OK, OK);
}

void store_session_revoke(struct store *store, const char *id, int64_t now,
                          struct store_reply reply)
{
    struct session_change *revoked;

    if (now <= 0) {
        change_fail(reply, ERROR_INVALID);
        return;
    }
    revoked = begin(store, id, now, reply);
    if (revoked == NULL)
        return;
    revoked->change.apply = revoke;
    give_taking(revoked, now, 0);
}

static enum error use(struct change *change, struct sqlite3 *database)
{
    static const char sql[] =
        "UPDATE sessions SET used_at = ? WHERE id = ? AND once = 1 AND used_at = 0";
    struct sqlite3_stmt *statement = database_query(
        database, sql, database_integer(of(change)->now), database_text(of(change)->session.id));

    return update(change, database, statement, ERROR_EXISTS, ERROR_STATE);
}

void store_session_use(struct store *store, const char *id, int64_t now, struct store_reply reply)
{
    struct session session = {.once = false};
    enum error error = now > 0 ? store_session_get(store, id, &session) : ERROR_INVALID;
    struct session_change *used;

    if (error == OK && !session.once)
        error = ERROR_STATE;
    else if (error == OK && session.used_at != 0)
        error = ERROR_EXISTS;
    session_clear(&session);
    if (error != OK) {
        change_fail(reply, error);
        return;
    }
    used = begin(store, id, now, reply);
    if (used == NULL)
        return;
    used->change.apply = use;
    give_taking(used, 0, now);
}

/* The token of before is good no longer. */
static enum error renew(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "UPDATE sessions SET token_id = ?1, expires_at = ?2 WHERE id = ?3"
                              " AND revoked_at = 0 AND expires_at > ?4"
                              " AND (once = 0 OR used_at = 0)";
    const struct session *session = &of(change)->session;
    struct sqlite3_stmt *statement = database_query(
        database, sql, database_text(session->token_id), database_integer(session->expires_at),
        database_text(session->id), database_integer(of(change)->now));

    return update(change, database, statement, ERROR_STATE, ERROR_STATE);
}

void store_session_renew(struct store *store, const char *id, const char *token_id,
                         int64_t expires_at, int64_t now, struct store_reply reply)
{
    struct session_change *renewed;

    if (!token_id_valid(token_id) || now <= 0 || expires_at <= now) {
        change_fail(reply, ERROR_INVALID);
        return;
    }
    renewed = begin(store, id, now, reply);
    if (renewed == NULL)
        return;
    snprintf(renewed->session.token_id, sizeof(renewed->session.token_id), "%s", token_id);
    renewed->session.expires_at = expires_at;
    renewed->change.apply = renew;
    renewed->change.takes_away = true;
    change_give(&renewed->change);
}

/* ---- Many ---- */

static enum error revoke_all(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "UPDATE sessions SET revoked_at = ?1 WHERE revoked_at = 0"
                              " AND expires_at > ?1 AND (?2 IS NULL OR surface = ?2)";
    struct session_change *revoked = of(change);
    enum error error =
        database_run(database, sql, database_integer(revoked->now),
                     database_text(revoked->any_surface ? NULL : revoked->session.surface));

    revoked->count = error == OK ? database_changes(database) : 0;
    return error;
}

static void settle_all(struct change *change)
{
    if (change->error != OK)
        return;
    *of(change)->count_out = of(change)->count;
    taken_drop_all(&change->store->taken, of(change)->all);
}

void store_session_revoke_all(struct store *store, const char *surface, int64_t now, size_t *count,
                              struct store_reply reply)
{
    struct session_change *revoked;

    if (now <= 0) {
        change_fail(reply, ERROR_INVALID);
        return;
    }
    revoked = begin(store, "", now, reply);
    if (revoked == NULL)
        return;
    revoked->any_surface = surface == NULL;
    snprintf(revoked->session.surface, sizeof(revoked->session.surface), "%s",
             surface != NULL ? surface : "");
    revoked->count_out = count;
    revoked->all = taken_add_all(&store->taken, revoked->session.surface, now);
    if (revoked->all == NULL) {
        change_fail(reply, ERROR_MEMORY);
        free(revoked);
        return;
    }
    revoked->change.apply = revoke_all;
    revoked->change.settle = settle_all;
    revoked->change.takes_away = true;
    change_give(&revoked->change);
}

static enum error expire(struct change *change, struct sqlite3 *database)
{
    static const char sql[] =
        "DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE expires_at < ?1"
        " OR (revoked_at <> 0 AND revoked_at < ?1) LIMIT ?2)";
    enum error error = database_run(database, sql, database_integer(of(change)->now - ENDED_KEPT_S),
                                    database_integer(EXPIRE_ROWS));

    of(change)->count = error == OK ? database_changes(database) : 0;
    return error;
}

/* The next few come after what was asked for meanwhile. */
static void expire_more(struct change *change)
{
    struct store_reply reply = change->reply;

    if (change->error != OK || of(change)->count < EXPIRE_ROWS)
        return;
    change->reply = (struct store_reply){NULL, NULL};
    store_session_expire(change->store, of(change)->now, reply);
}

void store_session_expire(struct store *store, int64_t now, struct store_reply reply)
{
    struct session_change *expired = begin(store, "", now, reply);

    if (expired == NULL)
        return;
    expired->change.apply = expire;
    expired->change.settle = expire_more;
    change_give(&expired->change);
}

/* ---- Counted ---- */

struct tally {
    struct lane_job job; /* first */
    struct store *store;
    int64_t now;
    struct store_tally tally, *out;
    struct store_reply reply;
    enum error error;
};

static enum error add_row(struct store_tally *tally, struct sqlite3_stmt *row)
{
    struct store_tally_row *added = &tally->rows[tally->count];
    size_t active = (size_t)statement_integer(row, 1);

    tally->active += active;
    if (tally->count == STORE_TALLY_SURFACES_MAX)
        return OK;
    if (!store_copy_text(added->surface, sizeof(added->surface), statement_text(row, 0)))
        return ERROR_INVALID;
    added->active = active;
    added->any_caller = (size_t)statement_integer(row, 2);
    tally->count++;
    return OK;
}

static void count_active(struct lane_job *job)
{
    static const char sql[] = "SELECT surface, count(*), sum(callers IS NULL) FROM sessions"
                              " WHERE expires_at > ? AND revoked_at = 0 AND generation = ?"
                              " AND (once = 0 OR used_at = 0) GROUP BY surface";
    struct tally *tally = (struct tally *)job;
    struct store *store = tally->store;
    struct sqlite3_stmt *rows = database_query(store->searcher, sql, database_integer(tally->now),
                                               database_text(store->generation.id));
    enum error error;

    while ((error = statement_next(rows)) == OK && tally->error == OK)
        tally->error = add_row(&tally->tally, rows);
    if (error == OK)
        statement_end(rows);
    else if (error != ERROR_NOT_FOUND)
        tally->error = error;
}

static void tell_active(struct lane_job *job)
{
    struct tally *tally = (struct tally *)job;

    if (tally->error == OK)
        *tally->out = tally->tally;
    change_fail(tally->reply, tally->error);
    free(tally);
}

void store_session_tally(struct store *store, int64_t now, struct store_tally *out,
                         struct store_reply reply)
{
    struct tally *tally = calloc(1, sizeof(*tally));

    if (tally == NULL) {
        change_fail(reply, ERROR_MEMORY);
        return;
    }
    tally->job = (struct lane_job){.work = count_active, .done = tell_active};
    tally->store = store;
    tally->now = now;
    tally->out = out;
    tally->reply = reply;
    lane_give(store->searches, &tally->job);
}
