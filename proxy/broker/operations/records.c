/* Parameter records, put, shown and removed. Called by control/routes.c and sessions.c. */
#include "broker/operations/operation.h"

#include "base/log.h"
#include "broker/core/journal.h"
#include "policy/exec_policy.h"
#include "system/executable.h"

#include <string.h>

static enum error check_name(struct operation *operation, const char *name)
{
    if (text_is_name(name))
        return OK;
    return operation_fail(operation, ERROR_INVALID,
                          "a parameter record's name is 1 to %d letters, digits, '.', '_' or '-', "
                          "and begins with a letter or digit",
                          TOKEN_NAME_SIZE - 1);
}

/* Whether what a record runs is permitted; `done` says what cannot be done with it otherwise. */
static enum error check_command(struct operation *operation, const char *name,
                                const struct params *params, const char *done)
{
    char why[OPERATION_WHY_BYTES] = "";
    enum error error = exec_policy_check(operation->gate->surfaces.config, params, executable_facts,
                                         NULL, why, sizeof(why));

    if (error == OK)
        return OK;
    operation->reason = REASON_EXECUTABLE_REFUSED;
    return operation_fail(operation, error, "the parameter record %s cannot be %s: %.400s", name,
                          done, why);
}

/* Whether the record may be kept at all; its digest for the log. */
static enum error check_record(struct operation *operation, const char *name, struct span json,
                               char digest[SHA256_HEX_SIZE])
{
    struct params *params;
    enum error error;

    if (json.length > PARAMS_BYTES_MAX)
        return operation_fail(operation, ERROR_LIMIT, "the record %s is larger than %d bytes", name,
                              PARAMS_BYTES_MAX);
    error = params_parse(json.data, json.length, &params);
    if (error == ERROR_MEMORY)
        return operation_fail(operation, error, "out of memory");
    if (error != OK)
        return operation_fail(operation, error,
                              "the record %s is not one JSON object in strict form (no duplicate "
                              "keys, NUL bytes or deep nesting)",
                              name);
    error = check_command(operation, name, params, "kept");
    if (error == OK) {
        error = params_digest(params, digest);
        if (error != OK)
            operation_fail(operation, error, "the digest of %s cannot be made: %s", name,
                           error_text(error));
    }
    params_destroy(params);
    return error;
}

/* Live sessions that a change of a record touches. */
struct affected {
    const char *name;               /* of the record */
    const struct store_params *now; /* NULL: it is gone */
    int64_t at;
    struct text_list cut;    /* session ids: bound to another content */
    struct text_list revoke; /* made for a surface that the record is no longer for */
    enum error error;
};

static void note_affected(void *context, const struct session *session)
{
    struct affected *affected = context;
    const struct store_params *now = affected->now;
    struct text_list *list = NULL;

    if (strcmp(session->params_name, affected->name) != 0 || session->revoked_at != 0 ||
        session->expires_at <= affected->at || affected->error != OK)
        return;
    if (now != NULL && now->surface[0] != '\0' && strcmp(now->surface, session->surface) != 0)
        list = &affected->revoke;
    else if (now == NULL || strcmp(now->digest, session->params_digest) != 0)
        list = &affected->cut;
    if (list != NULL)
        affected->error = text_list_add(list, session->id, strlen(session->id));
}

/*
 * Closes what was opened with the record's former content. Admission refuses
 * such sessions by their digest anyway; this reaches the live ones.
 */
static enum error cut_affected(struct operation *operation, const char *name,
                               const struct store_params *now)
{
    struct gate *gate = operation->gate;
    struct affected affected = {.name = name, .now = now, .at = clock_now(), .error = OK};
    enum error error = store_session_each(gate->store, note_affected, &affected);

    if (error == OK)
        error = affected.error;
    for (size_t i = 0; i < affected.revoke.count; i++) {
        const char *id = affected.revoke.items[i];
        enum error failed = store_session_revoke(gate->store, id, affected.at);

        if (failed != OK && error == OK)
            error = failed;
        workers_cut_session(gate->workers, id, REASON_PARAMS_CHANGED);
    }
    for (size_t i = 0; i < affected.cut.count; i++)
        workers_cut_session(gate->workers, affected.cut.items[i], REASON_PARAMS_CHANGED);
    if (error != OK) {
        log_error("the sessions of record %s could not all be read: every connection is cut", name);
        workers_cut_session(gate->workers, NULL, REASON_PARAMS_CHANGED);
        operation_fail_store(operation, error, "read the sessions that use the record");
    }
    text_list_clear(&affected.cut);
    text_list_clear(&affected.revoke);
    return error;
}

enum error records_put(struct operation *operation, const char *name, const char *surface,
                       struct span json, struct store_params *out)
{
    struct gate *gate = operation->gate;
    char digest[SHA256_HEX_SIZE];
    struct store_params stored;
    struct audit *line;
    enum error error = check_name(operation, name);

    if (error != OK)
        return error;
    if (surface != NULL && operation_surface(operation, surface) == NULL)
        return ERROR_INVALID;
    error = check_record(operation, name, json, digest);
    if (error != OK)
        return error;

    line = operation_line(operation, "params_stored");
    audit_text(line, "params", name);
    audit_text(line, "surface", surface);
    audit_text(line, "digest", digest);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    error = store_params_put(gate->store, name, surface != NULL ? surface : "", json.data,
                             json.length, clock_now(), &stored);
    error = operation_kept(operation, error, "params_stored", "keep the record");
    if (error == OK)
        error = cut_affected(operation, name, &stored);
    if (error == OK)
        *out = stored;
    return error;
}

static enum error no_such_record(struct operation *operation, enum error error, const char *name)
{
    return operation_fail(operation, error,
                          "there is no parameter record %.*s; `sidelock params list` lists them",
                          TOKEN_NAME_SIZE, name);
}

enum error records_get(struct operation *operation, const char *name, bool reveal,
                       struct store_params *out, struct buffer *json)
{
    struct gate *gate = operation->gate;
    enum error error = store_params_get(gate->store, name, out, json);

    if (error == ERROR_NOT_FOUND)
        return no_such_record(operation, error, name);
    if (error == ERROR_CRYPTO)
        return operation_fail(operation, error,
                              "the record %s was changed in the store by something other than "
                              "Sidelock; put it anew",
                              name);
    if (error != OK)
        return operation_fail_store(operation, error, "read the record");
    if (!reveal)
        return OK;
    audit_text(operation_line(operation, "params_revealed"), "params", name);
    return operation_commit(operation);
}

enum error records_remove(struct operation *operation, const char *name)
{
    enum error error = store_params_remove(operation->gate->store, name);

    if (error == ERROR_NOT_FOUND)
        return no_such_record(operation, error, name);
    if (error != OK)
        return operation_fail_store(operation, error, "remove the record");
    error = cut_affected(operation, name, NULL);
    if (error != OK)
        return error;
    audit_text(operation_line(operation, "params_removed"), "params", name);
    return operation_commit(operation);
}

enum error records_find_usable(struct operation *operation, const char *name,
                               struct store_params *out)
{
    struct params *params = NULL;
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = store_params_get(operation->gate->store, name, out, &json);
    if (error == OK)
        error = params_parse(json.data, json.length, &params);
    if (error == ERROR_NOT_FOUND)
        error = no_such_record(operation, ERROR_INVALID, name);
    else if (error != OK)
        operation_fail_store(operation, error, "read the parameter record");
    else
        error = check_command(operation, name, params, "used");
    params_destroy(params);
    buffer_wipe(&json);
    return error;
}
