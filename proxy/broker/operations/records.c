/* Parameter records, put, shown and removed. Called by control/routes.c and sessions.c. */
#include "broker/operations/operation.h"

#include "base/log.h"
#include "broker/core/journal.h"

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

enum error records_check_command(struct operation *operation, const char *name,
                                 const struct params *params, const char *done,
                                 struct executables_wait *wait, unsigned *looks)
{
    struct gate *gate = operation->gate;
    char why[OPERATION_WHY_BYTES] = "";
    enum error error =
        executables_check(gate->executables, gate->surfaces.config, params,
                          ++*looks <= EXECUTABLES_LOOKS_MAX ? wait : NULL, why, sizeof(why));

    if (error == OK || (error == ERROR_STATE && *looks <= EXECUTABLES_LOOKS_MAX))
        return error;
    operation->reason = REASON_EXECUTABLE_REFUSED;
    return operation_fail(operation, ERROR_DENIED, "the parameter record %s cannot be %s: %.400s",
                          name, done, why);
}

/* ---- Live sessions that a change of a record touches ---- */

#define CUT_AT_ONCE 64 /* sessions, in one turn of the loop */

struct affected {
    struct operation *operation;
    size_t seen;
};

/* Whether the session was made for another content of the record, or for another surface. */
static bool is_affected(const struct operation *operation, const struct session *session)
{
    const struct store_params *now = operation->way.record.out;

    if (operation->way.record.gone)
        return session->revoked_at == 0;
    if (now->surface[0] != '\0' && strcmp(now->surface, session->surface) != 0)
        return true;
    return session->revoked_at == 0 && strcmp(now->digest, session->params_digest) != 0;
}

static bool cut_one(void *context, const struct session *session)
{
    struct affected *cutting = context;
    struct operation *operation = cutting->operation;

    if (++cutting->seen > CUT_AT_ONCE) {
        operation->way.record.more = true;
        return false;
    }
    memcpy(operation->way.record.after, session->id, sizeof(session->id));
    if (is_affected(operation, session))
        workers_cut_session(operation->gate->workers, session->id, REASON_PARAMS_CHANGED);
    return true;
}

static void log_removed(struct operation *operation)
{
    audit_text(operation_line(operation, "params_removed"), "params", operation->way.record.name);
    operation_end(operation, operation_commit(operation));
}

/*
 * Closes what was opened with the record's former content, a few sessions a turn. Admission
 * refuses such sessions by their digest anyway; this reaches the live ones.
 */
static void cut_affected(void *context, enum error error)
{
    struct operation *operation = context;
    struct affected cutting = {operation, 0};
    struct gate *gate = operation->gate;
    const char *name = operation->way.record.name;

    operation->way.record.more = false;
    if (error == OK)
        error = store_sessions_with(gate->store, name, operation->way.record.after,
                                    operation->way.record.now, cut_one, &cutting);
    if (error != OK) {
        log_error("the sessions of record %s could not all be read: every connection is cut", name);
        workers_cut_session(gate->workers, NULL, REASON_PARAMS_CHANGED);
        operation_fail_store(operation, error, "read the sessions that use the record");
    }
    if (error == OK && operation->way.record.more)
        store_turn(gate->store, (struct store_reply){cut_affected, operation});
    else if (error == OK && operation->way.record.gone)
        log_removed(operation);
    else
        operation_end(operation, error);
}

/* ---- Put ---- */

static void on_put(void *context, enum error error)
{
    struct operation *operation = context;

    error = operation_kept(operation, error, "params_stored", "keep the record");
    if (error == OK)
        cut_affected(operation, OK);
    else
        operation_end(operation, error);
}

/* The line first, then the store. */
static enum error announce(struct operation *operation)
{
    struct audit *line = operation_line(operation, "params_stored");

    audit_text(line, "params", operation->way.record.name);
    audit_text(line, "surface", operation->way.record.surface);
    audit_text(line, "digest", operation->way.record.digest);
    return operation_commit(operation);
}

/* The record may be kept: its digest for the log. */
static enum error find_digest(struct operation *operation)
{
    enum error error = params_digest(operation->way.record.params, operation->way.record.digest);

    if (error != OK)
        operation_fail(operation, error, "the digest of %s cannot be made: %s",
                       operation->way.record.name, error_text(error));
    return error;
}

static void look_into_files(struct executables_wait *wait);

static void put_checked(struct operation *operation)
{
    const char *name = operation->way.record.name, *surface = operation->way.record.surface;
    struct span json = operation->way.record.json;
    enum error error =
        records_check_command(operation, name, operation->way.record.params, "kept",
                              &operation->way.record.files, &operation->way.record.looks);

    if (error == ERROR_STATE)
        return;
    if (error == OK)
        error = find_digest(operation);
    params_destroy(operation->way.record.params);
    if (error == OK)
        error = announce(operation);
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    operation->way.record.now = clock_now();
    store_params_put(operation->gate->store, name, surface != NULL ? surface : "", json.data,
                     json.length, operation->way.record.now, operation->way.record.out,
                     (struct store_reply){on_put, operation});
}

static void look_into_files(struct executables_wait *wait)
{
    put_checked(wait->context);
}

/* Whether the record may be kept at all, but for what it runs. */
static enum error parse_record(struct operation *operation, const char *name, struct span json,
                               struct params **out)
{
    enum error error;

    if (json.length > PARAMS_BYTES_MAX)
        return operation_fail(operation, ERROR_LIMIT, "the record %s is larger than %d bytes", name,
                              PARAMS_BYTES_MAX);
    error = params_parse(json.data, json.length, out);
    if (error == ERROR_MEMORY)
        return operation_fail(operation, error, "out of memory");
    if (error != OK)
        return operation_fail(operation, error,
                              "the record %s is not one JSON object in strict form (no duplicate "
                              "keys, NUL bytes or deep nesting)",
                              name);
    return OK;
}

void records_put(struct operation *operation, const char *name, const char *surface,
                 struct span json, struct store_params *out)
{
    struct params *params = NULL;
    enum error error = check_name(operation, name);

    if (error == OK && surface != NULL && operation_surface(operation, surface) == NULL)
        error = ERROR_INVALID;
    if (error == OK)
        error = parse_record(operation, name, json, &params);
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.record.name = name;
    operation->way.record.surface = surface;
    operation->way.record.json = json;
    operation->way.record.params = params;
    operation->way.record.out = out;
    operation->way.record.files =
        (struct executables_wait){.known = look_into_files, .context = operation};
    put_checked(operation);
}

/* ---- Shown and removed ---- */

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

static void on_removed(void *context, enum error error)
{
    struct operation *operation = context;

    if (error == OK) {
        cut_affected(operation, OK);
        return;
    }
    if (error == ERROR_NOT_FOUND)
        no_such_record(operation, error, operation->way.record.name);
    else
        operation_fail_store(operation, error, "remove the record");
    operation_end(operation, error);
}

void records_remove(struct operation *operation, const char *name)
{
    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.record.name = name;
    operation->way.record.gone = true;
    operation->way.record.now = clock_now();
    store_params_remove(operation->gate->store, name, (struct store_reply){on_removed, operation});
}

enum error records_load(struct operation *operation, const char *name, struct store_params *out,
                        struct params **params)
{
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = store_params_get(operation->gate->store, name, out, &json);
    if (error == OK)
        error = params_parse(json.data, json.length, params);
    if (error == ERROR_NOT_FOUND)
        error = no_such_record(operation, ERROR_INVALID, name);
    else if (error != OK)
        operation_fail_store(operation, error, "read the parameter record");
    buffer_wipe(&json);
    return error;
}
