#include "store/generation.h"

#include "base/buffer.h"
#include "base/secret.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE       GENERATION_FILE ".new"
#define FILE_BYTES_MAX ((size_t)256 * 1024)
#define KILLED         "killed "

/* What generation_open() compares. */
struct sides {
    struct generation stored; /* id "": the database has none yet */
    bool sessions;            /* it has any */
    bool file;                /* the file is there and says what it should */
    struct buffer text;       /* of the file; its lines are ended by NUL once it was read */
    const char *id;
    int64_t changes;
};

static enum error run(struct sqlite3 *database, const char *sql)
{
    return database_run_query(database_query_with(database, sql, NULL, 0));
}

/* ---- The database's side ---- */

static enum error set_number(struct sqlite3 *database, const char *name, int64_t number)
{
    static const char sql[] = "INSERT INTO meta (name, value) VALUES (?, ?)"
                              " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    return database_run(database, sql, database_text(name), database_text(text));
}

/* OK with "" if there is no such row. */
static enum error get_text(struct sqlite3 *database, const char *name, char *out, size_t size)
{
    static const char sql[] = "SELECT value FROM meta WHERE name = ?";
    struct sqlite3_stmt *statement = database_query(database, sql, database_text(name));
    enum error error = statement_next(statement);

    out[0] = '\0';
    if (error == ERROR_NOT_FOUND)
        return OK;
    if (error != OK)
        return error;
    snprintf(out, size, "%s", statement_text(statement, 0));
    statement_end(statement);
    return OK;
}

static enum error get_number(struct sqlite3 *database, const char *name, int64_t *out)
{
    char text[24];
    enum error error = get_text(database, name, text, sizeof(text));

    if (error == OK)
        *out = strtoll(text, NULL, 10);
    return error;
}

static enum error has_sessions(struct sqlite3 *database, bool *out)
{
    struct sqlite3_stmt *any =
        database_query_with(database, "SELECT 1 FROM sessions LIMIT 1", NULL, 0);
    enum error error = statement_next(any);

    *out = error == OK;
    if (error == OK)
        statement_end(any);
    return error == ERROR_NOT_FOUND ? OK : error;
}

static enum error read_database(struct sqlite3 *database, struct sides *out)
{
    enum error error = get_text(database, "generation", out->stored.id, sizeof(out->stored.id));

    if (error == OK)
        error = get_number(database, "changes", &out->stored.changes);
    if (error == OK)
        error = get_number(database, "restored_at", &out->stored.restored_at);
    return error == OK ? has_sessions(database, &out->sessions) : error;
}

enum error generation_advance(struct sqlite3 *database, const struct generation *generation)
{
    return set_number(database, "changes", generation->changes + 1);
}

/* ---- The file's side ---- */

/* "ID CHANGES", then lines of which each begins with KILLED. */
static bool parse(struct sides *sides)
{
    char *line = sides->text.data, *end;
    char *space = line != NULL ? strchr(line, ' ') : NULL;

    if (space == NULL)
        return false;
    *space = '\0';
    errno = 0;
    sides->changes = strtoll(space + 1, &end, 10);
    if (!token_id_valid(line) || errno != 0 || end == space + 1 || *end != '\n')
        return false;
    *end = '\0';
    sides->id = line;
    for (line = end + 1; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL || strncmp(line, KILLED, sizeof(KILLED) - 1) != 0)
            return false;
        *end = '\0';
        if (!text_is_name(line + sizeof(KILLED) - 1))
            return false;
    }
    return true;
}

/* One that is not there, or is not what it should be, leaves `file` false. */
static enum error read_file(int directory_fd, const char *directory, struct sides *out,
                            char why[WHY_SIZE])
{
    int fd = openat(directory_fd, GENERATION_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char path[PATH_MAX];
    enum error error;

    if (fd < 0)
        return errno == ENOENT
                   ? OK
                   : error_explain(why, ERROR_IO, "cannot open %s/" GENERATION_FILE ": %s",
                                   directory, strerror(errno));
    snprintf(path, sizeof(path), "%s/" GENERATION_FILE, directory);
    error = trusted_file_check(fd, path, TRUSTED_FILE_SECRET, why);
    if (error == OK && buffer_append_fd(&out->text, fd) != OK)
        error = error_explain(why, ERROR_IO, "cannot read %s", path);
    close(fd);
    if (error == OK)
        out->file = parse(out);
    return error;
}

static enum error append_killed(struct sqlite3 *database, struct buffer *out)
{
    static const char sql[] = "SELECT name FROM surfaces WHERE killed = 1 ORDER BY name";
    struct sqlite3_stmt *killed = database_query_with(database, sql, NULL, 0);
    enum error error;

    while ((error = statement_next(killed)) == OK)
        buffer_append_format(out, KILLED "%s\n", statement_text(killed, 0));
    return error == ERROR_NOT_FOUND ? OK : error;
}

static bool write_new(int directory_fd, const struct buffer *text)
{
    int fd = openat(directory_fd, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR);
    bool written =
        fd >= 0 && write(fd, text->data, text->length) == (ssize_t)text->length && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return written;
}

enum error generation_mirror(int directory_fd, struct sqlite3 *database,
                             const struct generation *generation)
{
    struct buffer text;
    enum error error;

    buffer_init(&text, FILE_BYTES_MAX);
    buffer_append_format(&text, "%s %" PRId64 "\n", generation->id, generation->changes);
    error = append_killed(database, &text);
    if (error == OK && (buffer_failed(&text) || !write_new(directory_fd, &text) ||
                        renameat(directory_fd, NEW_FILE, directory_fd, GENERATION_FILE) != 0 ||
                        fsync(directory_fd) != 0))
        error = ERROR_IO;
    buffer_clear(&text);
    return error;
}

/* ---- Both ---- */

static bool is_restored(const struct sides *sides)
{
    bool first_time = sides->stored.id[0] == '\0';

    if (!sides->file)
        return !first_time && (sides->sessions || sides->stored.changes > 0);
    return first_time || strcmp(sides->id, sides->stored.id) != 0 ||
           sides->changes > sides->stored.changes;
}

static enum error keep_killed(struct sqlite3 *database, const struct sides *sides, int64_t now)
{
    static const char sql[] = "INSERT INTO surfaces (name, killed, changed_at) VALUES (?, 1, ?)"
                              " ON CONFLICT (name) DO UPDATE SET killed = 1";
    const char *end = sides->text.data + sides->text.length;
    enum error error = OK;

    for (const char *line = strchr(sides->id, '\0') + 1; line < end && error == OK;
         line = strchr(line, '\0') + 1) {
        if (strncmp(line, KILLED, sizeof(KILLED) - 1) == 0)
            error = database_run(database, sql, database_text(line + sizeof(KILLED) - 1),
                                 database_integer(now));
    }
    return error;
}

/* A new id. The sessions of a restored store keep theirs; those of before there were any get it. */
static enum error begin_anew(struct sqlite3 *database, const struct sides *sides, int64_t now,
                             struct generation *out)
{
    static const char set_id[] = "INSERT INTO meta (name, value) VALUES ('generation', ?)"
                                 " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    unsigned char bytes[(TOKEN_ID_SIZE - 1) / 2];
    enum error error = secret_random(bytes, sizeof(bytes));

    if (error != OK)
        return error;
    text_hex(bytes, sizeof(bytes), out->id);
    error = database_run(database, set_id, database_text(out->id));
    if (error == OK && !out->restored_now)
        return database_run(database, "UPDATE sessions SET generation = ?", database_text(out->id));
    if (error == OK)
        error = set_number(database, "restored_at", now);
    if (error == OK && sides->file)
        error = keep_killed(database, sides, now);
    out->restored_at = now;
    return error;
}

static enum error settle(struct sqlite3 *database, const struct sides *sides, int64_t now,
                         struct generation *out)
{
    enum error error;

    *out = sides->stored;
    out->restored_now = is_restored(sides);
    if (sides->stored.id[0] != '\0' && !out->restored_now)
        return OK;
    error = run(database, "BEGIN IMMEDIATE");
    if (error == OK)
        error = begin_anew(database, sides, now, out);
    if (error == OK)
        error = run(database, "COMMIT");
    if (error != OK)
        database_roll_back(database);
    return error;
}

enum error generation_open(int directory_fd, const char *directory, struct sqlite3 *database,
                           int64_t now, struct generation *out, char why[WHY_SIZE])
{
    struct sides sides = {.id = NULL};
    enum error error;

    buffer_init(&sides.text, FILE_BYTES_MAX);
    why[0] = '\0';
    error = read_file(directory_fd, directory, &sides, why);
    if (error == OK)
        error = read_database(database, &sides);
    if (error == OK)
        error = settle(database, &sides, now, out);
    if (error == OK)
        error = generation_mirror(directory_fd, database, out);
    if (error != OK && why[0] == '\0')
        error_explain(why, error, "cannot keep which generation the store in %s is: %s", directory,
                      error_text(error));
    buffer_clear(&sides.text);
    return error;
}
