/*
 * Parameter records in the store (store.h): put, get, remove, list; values are sealed.
 * Called by the broker's operations and by admission.
 */
#include "policy/params.h"
#include "store/change.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define VERSION             1
#define NONCE_BYTES         12
#define TAG_BYTES           16
#define SEAL_OVERHEAD_BYTES (1 + NONCE_BYTES + TAG_BYTES)

#define COLUMNS           "name, surface, digest, created_at, updated_at"
#define CONTEXT_BYTES_MAX (sizeof("params") + (size_t)2 * TOKEN_NAME_SIZE + SHA256_HEX_SIZE)
#define SEALED_BYTES_MAX  (PARAMS_BYTES_MAX + SEAL_OVERHEAD_BYTES)

/*
 * ---- Sealing ----
 *
 * Sealed values: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The
 * context is authenticated and not stored: bytes sealed for one row do not open
 * in another.
 *
 * Layout: version (1 byte), nonce (12), ciphertext, tag (16).
 */

/* What one call works on; `in` and `out` are equally long. */
struct job {
    const struct secret_key *key;
    const unsigned char *nonce;
    struct span context;
    struct span in;
    unsigned char *out;
    unsigned char *tag; /* written when sealing, checked when opening */
    int seal;           /* 1 or 0, as OpenSSL wants it */
};

static bool run(EVP_CIPHER_CTX *cipher, const struct job *job)
{
    const unsigned char *context = (const unsigned char *)job->context.data;
    const unsigned char *in = (const unsigned char *)job->in.data;
    int length = 0, rest = 0;

    if (EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_key_bytes(job->key), job->nonce,
                          job->seal) != 1 ||
        EVP_CipherUpdate(cipher, NULL, &length, context, (int)job->context.length) != 1 ||
        EVP_CipherUpdate(cipher, job->out, &length, in, (int)job->in.length) != 1)
        return false;
    if (!job->seal && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, job->tag) != 1)
        return false;
    if (EVP_CipherFinal_ex(cipher, job->out + length, &rest) != 1)
        return false;
    return !job->seal ||
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, job->tag) == 1;
}

static enum error run_job(const struct job *job)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool done = cipher != NULL && run(cipher, job);

    EVP_CIPHER_CTX_free(cipher);
    return done ? OK : ERROR_CRYPTO;
}

/* Appends the sealed form of `plain` to `out`. */
static enum error seal_close(const struct secret_key *key, struct span context, struct span plain,
                             struct buffer *out)
{
    struct job job = {.key = key, .context = context, .in = plain, .seal = 1};
    unsigned char *sealed;
    enum error error;

    if (plain.length > INT_MAX - SEAL_OVERHEAD_BYTES || context.length > INT_MAX)
        return ERROR_LIMIT;
    sealed = buffer_reserve(out, plain.length + SEAL_OVERHEAD_BYTES);
    if (sealed == NULL)
        return ERROR_LIMIT;
    sealed[0] = VERSION;
    error = secret_random(sealed + 1, NONCE_BYTES);
    if (error != OK)
        return error;
    job.nonce = sealed + 1;
    job.out = sealed + 1 + NONCE_BYTES;
    job.tag = job.out + plain.length;
    error = run_job(&job);
    if (error == OK)
        buffer_commit(out, plain.length + SEAL_OVERHEAD_BYTES);
    return error;
}

/*
 * Appends what was sealed to `out` (wipe it). ERROR_CRYPTO: another key or
 * context, or not a bit of it as it was.
 */
static enum error seal_open(const struct secret_key *key, struct span context, struct span sealed,
                            struct buffer *out)
{
    struct job job = {.key = key, .context = context};
    unsigned char tag[TAG_BYTES];
    enum error error;

    if (sealed.length < SEAL_OVERHEAD_BYTES || sealed.length > INT_MAX ||
        context.length > INT_MAX || sealed.data[0] != VERSION)
        return ERROR_CRYPTO;
    job.nonce = (const unsigned char *)sealed.data + 1;
    job.in = (struct span){sealed.data + 1 + NONCE_BYTES, sealed.length - SEAL_OVERHEAD_BYTES};
    memcpy(tag, sealed.data + sealed.length - TAG_BYTES, TAG_BYTES);
    job.tag = tag;
    job.out = buffer_reserve(out, job.in.length);
    if (job.out == NULL)
        return ERROR_LIMIT;
    error = run_job(&job);
    /* What was written before the tag failed is nobody's business. */
    if (error == OK)
        buffer_commit(out, job.in.length);
    else
        secret_wipe(job.out, job.in.length);
    return error;
}

/* ---- Records ---- */

/*
 * What a sealed value belongs to: name, surface and digest, each ended by a NUL
 * so that no two records share a context.
 */
static void build_context(struct buffer *out, const struct store_params *params)
{
    buffer_init(out, CONTEXT_BYTES_MAX);
    buffer_append(out, "params", sizeof("params"));
    buffer_append(out, params->name, strlen(params->name) + 1);
    buffer_append(out, params->surface, strlen(params->surface) + 1);
    buffer_append(out, params->digest, strlen(params->digest) + 1);
}

/* Seals or opens the value of a record: seal_close() or seal_open(). */
static enum error run_seal(const struct store *store, const struct store_params *params,
                           enum error (*seal)(const struct secret_key *key, struct span context,
                                              struct span in, struct buffer *out),
                           struct span in, struct buffer *out)
{
    struct buffer context;
    enum error error = ERROR_MEMORY;

    build_context(&context, params);
    if (!buffer_failed(&context))
        error = seal(store->seal_key, (struct span){context.data, context.length}, in, out);
    buffer_clear(&context);
    return error;
}

static enum error read_row(struct sqlite3_stmt *statement, struct store_params *out)
{
    struct store_params row = {0};

    if (!store_copy_text(row.name, sizeof(row.name), statement_text(statement, 0)) ||
        !store_copy_text(row.surface, sizeof(row.surface), statement_text(statement, 1)) ||
        !store_copy_text(row.digest, sizeof(row.digest), statement_text(statement, 2)))
        return ERROR_INVALID;
    row.created_at = statement_integer(statement, 3);
    row.updated_at = statement_integer(statement, 4);
    *out = row;
    return OK;
}

static enum error digest_of(const char *json, size_t length, char out[SHA256_HEX_SIZE])
{
    struct params *params;
    enum error error = params_parse(json, length, &params);

    if (error != OK)
        return error;
    error = params_digest(params, out);
    params_destroy(params);
    return error;
}

/* A change of a record. */
struct record_change {
    struct change change; /* first */
    struct store_params row, *out;
    struct buffer sealed;
};

static struct record_change *of(struct change *change)
{
    return (struct record_change *)change;
}

static enum error insert_row(struct record_change *put, struct sqlite3 *database)
{
    static const char sql[] =
        "INSERT INTO params (name, surface, digest, sealed, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET surface = excluded.surface,"
        " digest = excluded.digest, sealed = excluded.sealed, updated_at = excluded.updated_at";
    const struct store_params *row = &put->row;

    return database_run(database, sql, database_text(row->name), database_text(row->surface),
                        database_text(row->digest),
                        database_bytes((struct span){put->sealed.data, put->sealed.length}),
                        database_integer(row->created_at), database_integer(row->updated_at));
}

/* As it is stored now: a record that was there keeps when it was made. */
static enum error find_row(struct sqlite3 *database, const char *name, struct store_params *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM params WHERE name = ?";
    struct sqlite3_stmt *statement = database_query(database, sql, database_text(name));
    enum error error = statement_next(statement);

    if (error != OK)
        return error;
    error = read_row(statement, out);
    statement_end(statement);
    return error;
}

static enum error revoke_others(const struct store_params *row, struct sqlite3 *database)
{
    static const char sql[] = "UPDATE sessions SET revoked_at = ?1 WHERE params_name = ?2"
                              " AND surface <> ?3 AND revoked_at = 0 AND expires_at > ?1";

    if (row->surface[0] == '\0')
        return OK;
    return database_run(database, sql, database_integer(row->updated_at), database_text(row->name),
                        database_text(row->surface));
}

static enum error put(struct change *change, struct sqlite3 *database)
{
    struct store_params *row = &of(change)->row;
    enum error error = insert_row(of(change), database);

    if (error == OK)
        error = revoke_others(row, database);
    return error == OK ? find_row(database, row->name, row) : error;
}

static void tell_put(struct change *change)
{
    if (change->error == OK)
        *of(change)->out = of(change)->row;
    buffer_clear(&of(change)->sealed);
}

/* What is to be stored, sealed. */
static enum error seal_row(const struct store *store, struct record_change *put_change,
                           const char *name, const char *surface, struct span json)
{
    struct store_params *row = &put_change->row;
    enum error error;

    if (!text_is_name(name) || (*surface != '\0' && !text_is_name(surface)))
        return ERROR_INVALID;
    if (!store_copy_text(row->name, sizeof(row->name), name) ||
        !store_copy_text(row->surface, sizeof(row->surface), surface))
        return ERROR_LIMIT;
    error = digest_of(json.data, json.length, row->digest);
    return error == OK ? run_seal(store, row, seal_close, json, &put_change->sealed) : error;
}

/* A change of a record, to be filled in; NULL without memory: that was answered. */
static struct record_change *begin(struct store *store, struct store_reply reply)
{
    struct record_change *begun = calloc(1, sizeof(*begun));

    if (begun == NULL) {
        change_fail(reply, ERROR_MEMORY);
        return NULL;
    }
    begun->change.store = store;
    begun->change.reply = reply;
    begun->change.takes_away = true;
    buffer_init(&begun->sealed, SEALED_BYTES_MAX);
    return begun;
}

void store_params_put(struct store *store, const char *name, const char *surface, const char *json,
                      size_t length, int64_t now, struct store_params *out,
                      struct store_reply reply)
{
    struct record_change *begun = begin(store, reply);
    enum error error;

    if (begun == NULL)
        return;
    error = seal_row(store, begun, name, surface, (struct span){json, length});
    if (error != OK) {
        buffer_clear(&begun->sealed);
        free(begun);
        change_fail(reply, error);
        return;
    }
    begun->row.created_at = begun->row.updated_at = now;
    begun->out = out;
    begun->change.apply = put;
    begun->change.settle = tell_put;
    change_give(&begun->change);
}

enum error store_params_get(struct store *store, const char *name, struct store_params *out,
                            struct buffer *json)
{
    static const char sql[] = "SELECT " COLUMNS ", sealed FROM params WHERE name = ?";
    struct sqlite3_stmt *statement = database_query(store->database, sql, database_text(name));
    struct store_params row;
    enum error error = statement_next(statement);

    if (error != OK)
        return error;
    error = read_row(statement, &row);
    if (error == OK && json != NULL)
        error = run_seal(store, &row, seal_open, statement_bytes(statement, 5), json);
    statement_end(statement);
    if (error == OK)
        *out = row;
    return error;
}

static enum error remove_row(struct change *change, struct sqlite3 *database)
{
    static const char sql[] = "DELETE FROM params WHERE name = ?";
    enum error error = database_run(database, sql, database_text(of(change)->row.name));

    if (error == OK && database_changes(database) == 0)
        error = ERROR_NOT_FOUND;
    return error;
}

void store_params_remove(struct store *store, const char *name, struct store_reply reply)
{
    struct record_change *begun = begin(store, reply);

    if (begun == NULL)
        return;
    if (!store_copy_text(begun->row.name, sizeof(begun->row.name), name)) {
        free(begun);
        change_fail(reply, ERROR_NOT_FOUND);
        return;
    }
    begun->change.apply = remove_row;
    change_give(&begun->change);
}

enum error store_params_after(struct store *store, const char *after,
                              bool (*visit)(void *context, const struct store_params *params),
                              void *context)
{
    static const char sql[] = "SELECT " COLUMNS " FROM params WHERE name > ? ORDER BY name";
    struct sqlite3_stmt *rows = database_query(store->database, sql, database_text(after));
    struct store_params row;
    enum error error;

    while ((error = statement_next(rows)) == OK) {
        error = read_row(rows, &row);
        if (error == OK && visit(context, &row))
            continue;
        statement_end(rows);
        return error;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}
