/*
 * The head of the audit log as the store keeps it, and its key; also read by `sidelock audit
 * verify`, while a gate runs or not (store.h).
 */
#include "base/log.h"
#include "store/change.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANCHOR_DIGITS_MAX 18
#define ANCHOR_TEXT_SIZE  (2 * (20 + 1) + SHA256_HEX_SIZE)

struct anchor_change {
    struct change change; /* first */
    char text[ANCHOR_TEXT_SIZE];
    int sync_fd; /* owned; -1: none */
};

/* A line is on the disk before it is said to be there. */
static enum error put_anchor(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "INSERT INTO meta (name, value) VALUES ('audit_anchor', ?)"
                              " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    const struct anchor_change *put = (const struct anchor_change *)change;

    if (put->sync_fd >= 0 && fsync(put->sync_fd) != 0)
        return ERROR_IO;
    return database_run(database, sql, database_text(put->text));
}

static void close_file(struct change *change)
{
    const struct anchor_change *put = (const struct anchor_change *)change;

    if (put->sync_fd >= 0)
        close(put->sync_fd);
}

void store_audit_anchor_put(struct store *store, const struct audit_anchor *anchor, int sync_fd,
                            struct store_reply reply)
{
    struct anchor_change *put = calloc(1, sizeof(*put));

    if (put == NULL) {
        if (sync_fd >= 0)
            close(sync_fd);
        change_fail(reply, ERROR_MEMORY);
        return;
    }
    put->change =
        (struct change){.store = store, .apply = put_anchor, .settle = close_file, .reply = reply};
    snprintf(put->text, sizeof(put->text), "%" PRIu64 " %" PRIu64 " %s", anchor->sequence,
             anchor->keyed_from, anchor->digest);
    put->sync_fd = sync_fd;
    change_give(&put->change);
}

static bool parse(const char *text, struct audit_anchor *out)
{
    struct span rest = span_of(text);

    return text_number(span_split(&rest, ' '), ANCHOR_DIGITS_MAX, &out->sequence) &&
           text_number(span_split(&rest, ' '), ANCHOR_DIGITS_MAX, &out->keyed_from) &&
           store_copy_text(out->digest, sizeof(out->digest), rest.data) &&
           text_is_hex(out->digest, SHA256_HEX_SIZE - 1);
}

static enum error get_anchor(struct sqlite3 *database, struct audit_anchor *out)
{
    static const char sql[] = "SELECT value FROM meta WHERE name = 'audit_anchor'";
    struct sqlite3_stmt *statement = database_query_with(database, sql, NULL, 0);
    enum error error = statement_next(statement);

    *out = (struct audit_anchor){.sequence = 0};
    if (error == ERROR_NOT_FOUND)
        return OK;
    if (error != OK)
        return error;
    if (!parse(statement_text(statement, 0), out))
        error = ERROR_INVALID;
    statement_end(statement);
    return error;
}

enum error store_audit_anchor_get(struct store *store, struct audit_anchor *out)
{
    return get_anchor(store->database, out);
}

const struct secret_key *store_audit_key(const struct store *store)
{
    return store->audit_key;
}

/* Read only, by whoever can: nothing is granted on the strength of it. */
static enum error look_at_key(const char *directory, struct secret_key **out)
{
    unsigned char bytes[SECRET_KEY_BYTES + 1];
    struct secret_key *master = NULL;
    char path[STORE_PATH_SIZE];
    enum error error = ERROR_NOT_FOUND;
    int fd;

    snprintf(path, sizeof(path), "%s/" STORE_KEY_NAME, directory);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && read(fd, bytes, sizeof(bytes)) == SECRET_KEY_BYTES)
        error = secret_key_from_bytes(bytes, &master);
    if (fd >= 0)
        close(fd);
    secret_wipe(bytes, sizeof(bytes));
    if (error == OK)
        error = secret_key_derive(master, STORE_PURPOSE_AUDIT, out);
    secret_key_destroy(master);
    return error;
}

enum error store_audit_look(const char *directory, struct secret_key **key,
                            struct audit_anchor *anchor)
{
    struct sqlite3 *database = NULL;
    char path[STORE_PATH_SIZE], why[WHY_SIZE];
    enum error error = look_at_key(directory, key);

    if (error != OK)
        return error;
    snprintf(path, sizeof(path), "%s/" STORE_DATABASE_NAME, directory);
    error = access(path, R_OK) == 0 ? database_open_reader(path, &database, why) : ERROR_NOT_FOUND;
    if (error == OK)
        error = get_anchor(database, anchor);
    database_close(database);
    if (error != OK) {
        secret_key_destroy(*key);
        *key = NULL;
    }
    return error;
}
