/* Kill switches in the store (store.h). Called by the broker's operations and at its start. */
#include "store/change.h"

#include <stdio.h>
#include <stdlib.h>

struct switch_change {
    struct change change; /* first */
    char surface[TOKEN_NAME_SIZE];
    bool killed;
    int64_t now;
};

static enum error set_killed(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "INSERT INTO surfaces (name, killed, changed_at) VALUES (?, ?, ?)"
                              " ON CONFLICT (name) DO UPDATE SET killed = excluded.killed,"
                              " changed_at = excluded.changed_at";
    const struct switch_change *set = (const struct switch_change *)change;

    return database_run(database, sql, database_text(set->surface), database_integer(set->killed),
                        database_integer(set->now));
}

void store_surface_set_killed(struct store *store, const char *surface, bool killed, int64_t now,
                              struct store_reply reply)
{
    struct switch_change *set = text_is_name(surface) ? calloc(1, sizeof(*set)) : NULL;

    if (set == NULL) {
        change_fail(reply, text_is_name(surface) ? ERROR_MEMORY : ERROR_INVALID);
        return;
    }
    set->change =
        (struct change){.store = store, .apply = set_killed, .reply = reply, .takes_away = true};
    snprintf(set->surface, sizeof(set->surface), "%s", surface);
    set->killed = killed;
    set->now = now;
    change_give(&set->change);
}

enum error store_surface_killed(struct store *store, const char *surface, bool *killed)
{
    static const char sql[] = "SELECT killed FROM surfaces WHERE name = ?";
    struct sqlite3_stmt *statement = database_query(store->database, sql, database_text(surface));
    enum error error = statement_next(statement);

    if (error == OK) {
        *killed = statement_integer(statement, 0) != 0;
        statement_end(statement);
    } else if (error == ERROR_NOT_FOUND) {
        *killed = false;
        error = OK;
    }
    return error;
}
