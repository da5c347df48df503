/*
 * Sessions in the store (store.h): add, get, renew, use once, revoke, expire, list. Called by
 * the broker's operations and by admission.
 */
#include "store/handle.h"
#include "store/store.h"
#include "json/parse.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "id, token_id, surface, params_name, params_digest, created_by, created_at, expires_at,"       \
    " revoked_at, used_at, once, verbs, targets, callers"
#define ENDED_KEPT_S 86400 /* how long an ended session stays listed */

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

/* Parses a list; NULL is none, and then *set is false. The caller drops *out. */
static enum error load_list(const char *json, size_t most, bool *set, json_t **out)
{
    *set = json != NULL;
    *out = json != NULL ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    return !*set || (json_is_array(*out) && json_array_size(*out) <= most) ? OK : ERROR_INVALID;
}

static enum error load_texts(const char *json, bool *set, struct text_list *out)
{
    json_t *array;
    enum error error = load_list(json, SESSION_LIST_MAX, set, &array);

    if (error == OK)
        error = json_texts(array, out);
    json_decref(array);
    return error;
}

static enum error load_callers(const char *json, struct session *out)
{
    json_t *array, *item;
    enum error error = load_list(json, SESSION_CALLERS_MAX, &out->callers_set, &array);
    size_t i;

    json_array_foreach(array, i, item)
    {
        json_int_t uid = json_integer_value(item);

        if (error != OK || !json_is_integer(item) || uid < 0 || uid > UINT32_MAX)
            error = ERROR_INVALID;
        else
            out->callers[out->caller_count++] = (uint32_t)uid;
    }
    json_decref(array);
    return error;
}

static enum error load_row(struct sqlite3_stmt *row, struct session *out)
{
    int64_t created_by = statement_integer(row, 5);
    enum error error;

    if (!store_copy_text(out->id, sizeof(out->id), statement_text(row, 0)) ||
        !store_copy_text(out->token_id, sizeof(out->token_id), statement_text(row, 1)) ||
        !store_copy_text(out->surface, sizeof(out->surface), statement_text(row, 2)) ||
        !store_copy_text(out->params_name, sizeof(out->params_name), statement_text(row, 3)) ||
        !store_copy_text(out->params_digest, sizeof(out->params_digest), statement_text(row, 4)) ||
        created_by < 0 || created_by > UINT32_MAX)
        return ERROR_INVALID;
    out->created_by = (uint32_t)created_by;
    out->created_at = statement_integer(row, 6);
    out->expires_at = statement_integer(row, 7);
    out->revoked_at = statement_integer(row, 8);
    out->used_at = statement_integer(row, 9);
    out->once = statement_integer(row, 10) != 0;
    error = load_texts(statement_text(row, 11), &out->verbs_set, &out->verbs);
    if (error == OK)
        error = load_texts(statement_text(row, 12), &out->targets_set, &out->targets);
    return error == OK ? load_callers(statement_text(row, 13), out) : error;
}

/* Fills *out completely, or clears it. */
static enum error load_session(struct sqlite3_stmt *row, struct session *out)
{
    struct session session = {0};
    enum error error = load_row(row, &session);

    if (error == OK)
        *out = session;
    else
        session_clear(&session);
    return error;
}

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

static enum error insert_session(struct store *store, const struct session *session,
                                 const struct lists *lists)
{
    static const char sql[] = "INSERT INTO sessions (" COLUMNS ")"
                              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

    return database_run(
        store->database, sql, database_text(session->id), database_text(session->token_id),
        database_text(session->surface), database_text(session->params_name),
        database_text(session->params_digest), database_integer(session->created_by),
        database_integer(session->created_at), database_integer(session->expires_at),
        database_integer(session->revoked_at), database_integer(session->used_at),
        database_integer(session->once), database_text(lists->verbs), database_text(lists->targets),
        database_text(lists->callers));
}

enum error store_session_add(struct store *store, const struct session *session)
{
    struct lists lists = {0};
    enum error error = check_session(session);

    if (error == OK)
        error = dump_lists(session, &lists);
    if (error == OK)
        error = insert_session(store, session, &lists);
    lists_clear(&lists);
    return error;
}

enum error store_session_get(struct store *store, const char *id, struct session *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM sessions WHERE id = ?";
    struct sqlite3_stmt *statement = database_query(store->database, sql, database_text(id));
    enum error error = statement_next(statement);

    if (error != OK)
        return error;
    error = load_session(statement, out);
    statement_end(statement);
    return error;
}

/*
 * Runs an update of one session. Where it changes nothing: ERROR_NOT_FOUND, or what that means
 * of a session that is single-use, or is not.
 */
static enum error update(struct store *store, struct sqlite3_stmt *change, const char *id,
                         enum error single_use, enum error any_other)
{
    static const char sql[] = "SELECT once FROM sessions WHERE id = ?";
    struct sqlite3_stmt *statement;
    enum error error = database_run_query(change);

    if (error != OK || database_changes(store->database) > 0)
        return error;
    statement = database_query(store->database, sql, database_text(id));
    error = statement_next(statement);
    if (error != OK)
        return error;
    error = statement_integer(statement, 0) != 0 ? single_use : any_other;
    statement_end(statement);
    return error;
}

enum error store_session_revoke(struct store *store, const char *id, int64_t now)
{
    static const char sql[] = "UPDATE sessions SET revoked_at = ? WHERE id = ? AND revoked_at = 0";
    struct sqlite3_stmt *change;

    if (now <= 0)
        return ERROR_INVALID;
    change = database_query(store->database, sql, database_integer(now), database_text(id));
    return update(store, change, id, OK, OK);
}

enum error store_session_revoke_all(struct store *store, const char *surface, int64_t now,
                                    size_t *count)
{
    static const char sql[] = "UPDATE sessions SET revoked_at = ?1 WHERE revoked_at = 0"
                              " AND expires_at > ?1 AND (?2 IS NULL OR surface = ?2)";
    enum error error;

    if (now <= 0)
        return ERROR_INVALID;
    error = database_run(store->database, sql, database_integer(now), database_text(surface));
    if (error == OK)
        *count = database_changes(store->database);
    return error;
}

enum error store_session_renew(struct store *store, const char *id, const char *token_id,
                               int64_t expires_at, int64_t now)
{
    static const char sql[] = "UPDATE sessions SET token_id = ?1, expires_at = ?2 WHERE id = ?3"
                              " AND revoked_at = 0 AND expires_at > ?4"
                              " AND (once = 0 OR used_at = 0)";
    struct sqlite3_stmt *change;

    if (!token_id_valid(token_id) || now <= 0 || expires_at <= now)
        return ERROR_INVALID;
    change = database_query(store->database, sql, database_text(token_id),
                            database_integer(expires_at), database_text(id), database_integer(now));
    return update(store, change, id, ERROR_STATE, ERROR_STATE);
}

enum error store_session_use(struct store *store, const char *id, int64_t now)
{
    static const char sql[] =
        "UPDATE sessions SET used_at = ? WHERE id = ? AND once = 1 AND used_at = 0";
    struct sqlite3_stmt *change;

    if (now <= 0)
        return ERROR_INVALID;
    change = database_query(store->database, sql, database_integer(now), database_text(id));
    return update(store, change, id, ERROR_EXISTS, ERROR_STATE);
}

enum error store_session_each(struct store *store,
                              void (*visit)(void *context, const struct session *session),
                              void *context)
{
    static const char sql[] = "SELECT " COLUMNS " FROM sessions ORDER BY created_at, id";
    struct sqlite3_stmt *statement = database_query_with(store->database, sql, NULL, 0);
    struct session session;
    enum error error;

    while ((error = statement_next(statement)) == OK) {
        error = load_session(statement, &session);
        if (error != OK) {
            statement_end(statement);
            return error;
        }
        visit(context, &session);
        session_clear(&session);
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

enum error store_session_expire(struct store *store, int64_t now)
{
    static const char sql[] = "DELETE FROM sessions WHERE expires_at < ?1"
                              " OR (revoked_at <> 0 AND revoked_at < ?1)";

    return database_run(store->database, sql, database_integer(now - ENDED_KEPT_S));
}
