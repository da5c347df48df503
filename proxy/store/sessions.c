/*
 * Sessions in the store (store.h), read: one, or a page. Called by the broker's operations and by
 * admission.
 */
#include "store/handle.h"
#include "store/store.h"
#include "json/parse.h"

#include <jansson.h>
#include <string.h>

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

static enum error load_row(struct sqlite3_stmt *row, const char *generation, struct session *out)
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
    out->restored = strcmp(statement_text(row, 14), generation) != 0;
    error = load_texts(statement_text(row, 11), &out->verbs_set, &out->verbs);
    if (error == OK)
        error = load_texts(statement_text(row, 12), &out->targets_set, &out->targets);
    return error == OK ? load_callers(statement_text(row, 13), out) : error;
}

/* Fills *out completely, as the database has it; or clears it. */
static enum error load_stored(const struct store *store, struct sqlite3_stmt *row,
                              struct session *out)
{
    struct session session = {0};
    enum error error = load_row(row, store->generation.id, &session);

    if (error == OK)
        *out = session;
    else
        session_clear(&session);
    return error;
}

/* The same with what is being taken from it. */
static enum error load_session(const struct store *store, struct sqlite3_stmt *row,
                               struct session *out)
{
    enum error error = load_stored(store, row, out);

    if (error == OK)
        taken_apply(&store->taken, out);
    return error;
}

static enum error read_session(struct store *store, const char *id, struct session *out)
{
    static const char sql[] = "SELECT " STORE_SESSION_COLUMNS " FROM sessions WHERE id = ?";
    struct sqlite3_stmt *statement = database_query(store->database, sql, database_text(id));
    enum error error = statement_next(statement);

    if (error != OK)
        return error;
    error = load_stored(store, statement, out);
    statement_end(statement);
    if (error == OK)
        recent_add(&store->recent, out);
    return error;
}

enum error store_session_get(struct store *store, const char *id, struct session *out)
{
    const struct session *recent = recent_find(&store->recent, id);
    enum error error = OK;

    if (recent != NULL)
        *out = *recent;
    else
        error = read_session(store, id, out);
    if (error == OK)
        taken_apply(&store->taken, out);
    return error;
}

/* Row by row, until `visit` has enough. */
static enum error visit_rows(const struct store *store, struct sqlite3_stmt *rows,
                             bool (*visit)(void *context, const struct session *session),
                             void *context)
{
    struct session session;
    enum error error;
    bool more;

    while ((error = statement_next(rows)) == OK) {
        error = load_session(store, rows, &session);
        more = error == OK && visit(context, &session);
        if (error == OK)
            session_clear(&session);
        if (more)
            continue;
        statement_end(rows);
        return error;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

enum error store_sessions_after(struct store *store, int64_t created_at, const char *id,
                                bool (*visit)(void *context, const struct session *session),
                                void *context)
{
    static const char sql[] = "SELECT " STORE_SESSION_COLUMNS " FROM sessions"
                              " WHERE (created_at, id) > (?, ?) ORDER BY created_at, id";
    struct sqlite3_stmt *rows =
        database_query(store->database, sql, database_integer(created_at), database_text(id));

    return visit_rows(store, rows, visit, context);
}

enum error store_sessions_with(struct store *store, const char *params_name, const char *after,
                               int64_t now,
                               bool (*visit)(void *context, const struct session *session),
                               void *context)
{
    static const char sql[] = "SELECT " STORE_SESSION_COLUMNS " FROM sessions"
                              " WHERE params_name = ? AND id > ? AND expires_at > ? ORDER BY id";
    struct sqlite3_stmt *rows = database_query(store->database, sql, database_text(params_name),
                                               database_text(after), database_integer(now));

    return visit_rows(store, rows, visit, context);
}
