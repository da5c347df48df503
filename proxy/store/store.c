#include "store/store.h"

#include "store/handle.h"
#include "system/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEW_KEY_NAME     "key.new"
#define LOCK_NAME        "lock"
#define LOCK_PATIENCE_MS 2000
#define LOCK_RETRY_MS    20

/* Changing one of these makes every token or sealed record of before unreadable. */
#define PURPOSE_TOKENS  "sidelock tokens 1"
#define PURPOSE_SEALING "sidelock sealing 1"
#define PURPOSE_COOKIES "sidelock login cookies 1"
#define PURPOSE_CHECK   "sidelock key check 1"

/* What opening works on. */
struct opening {
    struct store *store;
    const char *directory;
    char *why; /* WHY_SIZE */
};

bool store_copy_text(char *out, size_t size, const char *text)
{
    size_t length = text != NULL ? strlen(text) : size;

    if (length >= size)
        return false;
    memcpy(out, text, length + 1);
    return true;
}

static enum error open_directory(struct opening *opening)
{
    char why[WHY_SIZE];
    enum error error =
        trusted_path_open_private(opening->directory, &opening->store->directory_fd, why);

    return error == OK ? OK : error_explain(opening->why, error, "state_dir: %.480s", why);
}

static enum error take_lock(struct opening *opening)
{
    int fd = openat(opening->store->directory_fd, LOCK_NAME,
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);

    opening->store->lock_fd = fd;
    /* Whoever was killed with its parent lets go of it soon. */
    for (unsigned waited = 0; fd >= 0 && waited <= LOCK_PATIENCE_MS; waited += LOCK_RETRY_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return OK;
        if (errno != EWOULDBLOCK)
            break;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_RETRY_MS * 1000000L}, NULL);
    }
    if (errno == EWOULDBLOCK)
        return error_explain(opening->why, ERROR_EXISTS,
                             "another Sidelock is using the state directory %s; stop it, or name "
                             "another directory in state_dir",
                             opening->directory);
    return error_explain(opening->why, ERROR_IO, "cannot lock the state directory %s: %s",
                         opening->directory, strerror(errno));
}

enum error store_check(const char *directory, char why[WHY_SIZE])
{
    char path[PATH_MAX];
    enum error error = OK;
    int fd;

    snprintf(path, sizeof(path), "%s/" STORE_KEY_NAME, directory);
    if (access(path, F_OK) == 0) {
        error = trusted_file_open(path, TRUSTED_FILE_SECRET, TRUST_OWN, &fd, why);
        if (error != OK)
            return error;
        close(fd);
    }
    snprintf(path, sizeof(path), "%s/" LOCK_NAME, directory);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return OK;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        error = error_explain(why, ERROR_EXISTS,
                              "another Sidelock is using the state directory %s; stop it, or name "
                              "another directory in state_dir",
                              directory);
    close(fd);
    return error;
}

/* 32 bytes and nothing else, in a file that nobody else can read or change. */
static enum error read_key_from(int fd, const char *path, struct secret_key **out,
                                char why[WHY_SIZE])
{
    unsigned char bytes[SECRET_KEY_BYTES + 1];
    enum error error = trusted_file_check(fd, path, TRUSTED_FILE_SECRET, why);

    if (error != OK)
        return error;
    if (read(fd, bytes, sizeof(bytes)) == SECRET_KEY_BYTES)
        error = secret_key_from_bytes(bytes, out);
    else
        error = error_explain(
            why, ERROR_INVALID,
            "the key file %s does not hold exactly %d bytes; restore it from a backup", path,
            SECRET_KEY_BYTES);
    secret_wipe(bytes, sizeof(bytes));
    return error;
}

static enum error read_key(struct opening *opening, const char *path, struct secret_key **out)
{
    int fd = openat(opening->store->directory_fd, STORE_KEY_NAME,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum error error;

    if (fd < 0)
        return error_explain(opening->why, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO,
                             "cannot open the key file %s: %s", path, strerror(errno));
    error = read_key_from(fd, path, out, opening->why);
    close(fd);
    return error;
}

static bool write_key(int fd)
{
    unsigned char bytes[SECRET_KEY_BYTES];
    bool written = secret_random(bytes, sizeof(bytes)) == OK &&
                   write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && fsync(fd) == 0;

    secret_wipe(bytes, sizeof(bytes));
    return written;
}

/* Makes a new key, durable on return. */
static enum error make_key(struct opening *opening, const char *path)
{
    int directory_fd = opening->store->directory_fd, fd;
    bool made;

    /* One left by a crash: never finished, so never used. */
    (void)unlinkat(directory_fd, NEW_KEY_NAME, 0);
    fd = openat(directory_fd, NEW_KEY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                S_IRUSR | S_IWUSR);
    made = fd >= 0 && write_key(fd);
    if (fd >= 0)
        close(fd);
    if (made && renameat(directory_fd, NEW_KEY_NAME, directory_fd, STORE_KEY_NAME) == 0 &&
        fsync(directory_fd) == 0)
        return OK;
    error_explain(opening->why, ERROR_IO, "cannot make the key file %s: %s", path, strerror(errno));
    (void)unlinkat(directory_fd, NEW_KEY_NAME, 0);
    return ERROR_IO;
}

static enum error open_key(struct opening *opening, struct secret_key **out)
{
    char path[PATH_MAX];
    enum error error;

    snprintf(path, sizeof(path), "%s/" STORE_KEY_NAME, opening->directory);
    error = read_key(opening, path, out);
    if (error != ERROR_NOT_FOUND)
        return error;
    /* A new key beside an old database would orphan every record in it. */
    if (faccessat(opening->store->directory_fd, STORE_DATABASE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) ==
        0)
        return error_explain(
            opening->why, ERROR_INVALID,
            "the key file %s is gone but its database is not: restore the key, or move "
            "%s/" STORE_DATABASE_NAME " away to start afresh",
            path, opening->directory);
    error = make_key(opening, path);
    return error == OK ? read_key(opening, path, out) : error;
}

static enum error open_database(struct opening *opening)
{
    struct store *store = opening->store;
    char path[PATH_MAX];
    enum error error;

    if ((size_t)snprintf(path, sizeof(path), "%s/" STORE_DATABASE_NAME, opening->directory) >=
        sizeof(path))
        return error_explain(opening->why, ERROR_LIMIT,
                             "the name of the state directory is too long");
    error = database_open(path, &store->writer, opening->why);
    if (error == OK)
        error = database_open_reader(path, &store->database, opening->why);
    if (error == OK)
        error = database_open_reader(path, &store->searcher, opening->why);
    if (error == OK && fsync(store->directory_fd) != 0)
        error =
            error_explain(opening->why, ERROR_IO, "cannot write the state directory %s to disk: %s",
                          opening->directory, strerror(errno));
    return error;
}

/* Writes the fingerprint down on first use and compares it from then on. */
static enum error compare_fingerprint(struct sqlite3 *database, const char *fingerprint)
{
    static const char add[] = "INSERT INTO meta (name, value) VALUES ('key', ?)"
                              " ON CONFLICT (name) DO NOTHING";
    static const char get[] = "SELECT value FROM meta WHERE name = 'key'";
    struct sqlite3_stmt *statement;
    enum error error = database_run(database, add, database_text(fingerprint));

    if (error != OK)
        return error;
    statement = database_query_with(database, get, NULL, 0);
    error = statement_next(statement);
    if (error != OK)
        return error;
    if (strcmp(statement_text(statement, 0), fingerprint) != 0)
        error = ERROR_CRYPTO;
    statement_end(statement);
    return error;
}

static enum error check_fingerprint(struct opening *opening, const struct secret_key *master)
{
    char fingerprint[SHA256_HEX_SIZE];
    struct secret_key *check;
    enum error error = secret_key_derive(master, PURPOSE_CHECK, &check);

    if (error == OK) {
        secret_sha256_hex(secret_key_bytes(check), SECRET_KEY_BYTES, fingerprint);
        secret_key_destroy(check);
        error = compare_fingerprint(opening->store->writer, fingerprint);
    }
    if (error == ERROR_CRYPTO)
        return error_explain(
            opening->why, error,
            "the key file and the database in %s do not belong together: restore the key "
            "that was there before",
            opening->directory);
    if (error != OK)
        error_explain(opening->why, error, "cannot use the database in %s: %s", opening->directory,
                      error_text(error));
    return error;
}

static enum error open_with_key(struct opening *opening, const struct secret_key *master)
{
    struct store *store = opening->store;
    enum error error = secret_key_derive(master, PURPOSE_TOKENS, &store->token_key);

    if (error == OK)
        error = secret_key_derive(master, PURPOSE_COOKIES, &store->cookie_key);
    if (error == OK)
        error = secret_key_derive(master, PURPOSE_SEALING, &store->seal_key);
    if (error == OK)
        error = secret_key_derive(master, STORE_PURPOSE_AUDIT, &store->audit_key);
    if (error != OK)
        return error_explain(opening->why, error, "cannot derive keys: %s", error_text(error));
    error = open_database(opening);
    if (error == OK)
        error = check_fingerprint(opening, master);
    return error == OK ? generation_open(store->directory_fd, opening->directory, store->writer,
                                         (int64_t)time(NULL), &store->generation, opening->why)
                       : error;
}

static enum error start_lanes(struct opening *opening)
{
    struct store *store = opening->store;
    enum error error = lane_create("store writes", &store->writes);

    if (error == OK)
        error = lane_create("store searches", &store->searches);
    return error == OK ? OK : error_explain(opening->why, error, "cannot start a thread");
}

enum error store_open(const char *directory, struct store **out, char why[WHY_SIZE])
{
    struct opening opening = {.directory = directory, .why = why};
    struct secret_key *master = NULL;
    struct store *store = malloc(sizeof(*store));
    enum error error;

    if (store == NULL)
        return error_explain(why, ERROR_MEMORY, "out of memory");
    *store = (struct store){.directory_fd = -1, .lock_fd = -1};
    opening.store = store;
    error = open_directory(&opening);
    if (error == OK)
        error = take_lock(&opening);
    if (error == OK)
        error = open_key(&opening, &master);
    if (error == OK)
        error = open_with_key(&opening, master);
    if (error == OK)
        error = start_lanes(&opening);
    secret_key_destroy(master);
    if (error != OK) {
        store_close(store);
        return error;
    }
    *out = store;
    return OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    /* The last connection to close writes the log into the database. */
    database_close(store->database);
    database_close(store->searcher);
    lane_destroy(store->searches);
    lane_destroy(store->writes);
    database_close(store->writer);
    taken_clear(&store->taken);
    recent_clear(&store->recent);
    secret_key_destroy(store->token_key);
    secret_key_destroy(store->cookie_key);
    secret_key_destroy(store->seal_key);
    secret_key_destroy(store->audit_key);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    if (store->directory_fd >= 0)
        close(store->directory_fd);
    free(store);
}

struct lane *store_writes(const struct store *store)
{
    return store->writes;
}

struct lane *store_searches(const struct store *store)
{
    return store->searches;
}

/* What one lane's jobs give the other is waited for as well. */
void store_finish(struct store *store)
{
    lane_finish(store->writes);
    lane_finish(store->searches);
    lane_finish(store->writes);
}

const char *store_generation(const struct store *store)
{
    return store->generation.id;
}

int64_t store_restored_at(const struct store *store, bool *now)
{
    *now = store->generation.restored_now;
    return store->generation.restored_at;
}

const struct secret_key *store_token_key(const struct store *store)
{
    return store->token_key;
}

const struct secret_key *store_cookie_key(const struct store *store)
{
    return store->cookie_key;
}
