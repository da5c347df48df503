/*
 * One request of an operator: who asks, the line it leaves in the audit log, and
 * if it fails, why; below it, file by file, all that an operator can do.
 *
 * What changes the store, or must look into files, returns nothing and ends later: its `done` is
 * called once, perhaps before the function returns, when the change is on the disk or will
 * never be. Until then the operation, and whatever its caller passed by reference, stays where it
 * is. Killing and revoking are in force when the function returns; `done` says that they last.
 *
 * Every operation leaves a line, and fails if that line cannot be written.
 * What grants something (a record, a session, arming) is written to the log
 * before it is done; what takes something away (revoking, removing, killing) is
 * done first, so that a full disk never keeps a door open. Values of parameter
 * records, tokens and tickets never reach the log. Nothing in this room knows
 * about HTTP.
 */
#pragma once

#include "broker/core/cutting.h"
#include "broker/core/executables.h"
#include "broker/core/services.h"
#include "broker/core/workers.h"
#include "policy/params.h"

#define OPERATION_WHY_BYTES 512

struct difference;

struct operation {
    struct gate *gate;
    uint32_t uid;                  /* the operator's, for the log */
    enum reason reason;            /* of a failure; REASON_INTERNAL: none of the published ones */
    char why[OPERATION_WHY_BYTES]; /* of a failure: one sentence */
    char *faults; /* of a configuration: a line each; NULL: none. Freed by whoever ends it */
    void (*done)(struct operation *operation, enum error error); /* of one that ends later */
    void *context;                                               /* of the caller */
    /* What one that ends later goes on with, each file its own. */
    union {
        struct {
            struct executables_wait files;
            unsigned looks; /* into them */
            const char *name, *surface;
            struct span json;
            struct params *params;
            char digest[SHA256_HEX_SIZE];
            struct store_params *out;
            int64_t now;
            char after[TOKEN_ID_SIZE]; /* of the sessions: these were cut */
            bool more, gone;
        } record;
        struct {
            struct executables_wait files;
            unsigned looks;
            struct params *params;
            struct store_params stored;
            struct session *session;
            int64_t now;
            bool renewal;
            char **token, *minted;
        } grant;
        struct {
            const char *id, *surface;
            size_t *count;
        } revoke;
        struct {
            struct cutting cut;
            char name[CONFIG_NAME_BYTES_MAX + 1];
            const char *cause; /* static; of a lockdown; NULL: it is none */
            unsigned parts;    /* that have not ended yet */
            enum error error;  /* of one that has */
            size_t sessions;   /* that were revoked */
            struct services_end services;
        } kill;
        struct {
            char name[CONFIG_NAME_BYTES_MAX + 1];
            uint64_t turn;
            struct services_end end; /* of a launched service */
            unsigned unknown;        /* what is to be waited for */
            enum error error;        /* the first of them */
        } arm;
        struct services_restart restart;
        struct {
            struct services_dial dial;
            int *network;
        } enter;
        struct {
            struct services_proof proof;
            void (*next)(struct operation *operation);
        } prove;
        struct {
            const struct difference *difference; /* setup/difference.h; when it has ended well */
        } reload;
    } way;
};

void operation_init(struct operation *operation, struct gate *gate, uint32_t uid);

/* Calls `done`; the operation is the caller's again, and may be gone. */
void operation_end(struct operation *operation, enum error error);

/* Notes why, and returns `error`. The sentence must carry no secret. */
enum error operation_fail(struct operation *operation, enum error error, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same for an error of the store, saying what was to be done ("keep the session"). */
enum error operation_fail_store(struct operation *operation, enum error error, const char *what);

/* Begins a line: the event and the operator's uid. Go on with audit_text() and the like. */
struct audit *operation_line(struct operation *operation, const char *event);
/* Ends the line. ERROR_IO, with reason and sentence set, if it cannot be written. */
enum error operation_commit(struct operation *operation) MUST_CHECK;
/*
 * After the line that announced it, the store was to do it ("keep the session"):
 * passes its error on, with a sentence, and a line that says that it did not happen.
 */
enum error operation_kept(struct operation *operation, enum error error, const char *event,
                          const char *what) MUST_CHECK;
/* The same where something else than the store failed, the sentence being noted already. */
void operation_undo(struct operation *operation, const char *event);

/* A surface by its name; notes that there is none. */
struct surface_state *operation_surface(struct operation *operation, const char *name);

/* ---- records.c: what may be launched, and with what, kept under a name ---- */

/*
 * Adds or replaces a record; `surface` NULL: for any. ERROR_INVALID for a name,
 * a surface or a record that cannot be; ERROR_SYNTAX, ERROR_LIMIT; ERROR_DENIED
 * for a command that may not run. Live connections of sessions that were made
 * for another content of the record are cut, and sessions of surfaces that the
 * record is no longer for are revoked.
 */
void records_put(struct operation *operation, const char *name, const char *surface,
                 struct span json, struct store_params *out);
/*
 * The public part and the text, which the caller wipes. With `reveal` the
 * caller means to show its secrets, and the log says so.
 */
enum error records_get(struct operation *operation, const char *name, bool reveal,
                       struct store_params *out, struct buffer *json) MUST_CHECK;
/* Cuts the live connections of every session that names the record. */
void records_remove(struct operation *operation, const char *name);

/* A record as stored, and its value for the caller to destroy; notes what is wrong with it. */
enum error records_load(struct operation *operation, const char *name, struct store_params *out,
                        struct params **params) MUST_CHECK;
/*
 * Whether what a record runs is permitted; `done` says what cannot be done with it otherwise.
 * ERROR_STATE: not known yet; then `wait` is called, and this is to be asked again, with `looks`
 * counted from 0.
 */
enum error records_check_command(struct operation *operation, const char *name,
                                 const struct params *params, const char *done,
                                 struct executables_wait *wait, unsigned *looks) MUST_CHECK;

/* ---- sessions.c: made, renewed, revoked; and tickets for them ---- */

/*
 * Makes a session of what is asked for: surface, params_name ("": none), lists and `once`; it
 * lives for `ttl_s`, 1 to SESSION_TTL_MAX_S. The rest is filled in, and the caller clears it; after
 * an error it is cleared. *token is the caller's to wipe and free; it exists nowhere else.
 * ERROR_INVALID if anything asked for does not exist or does not fit, ERROR_DENIED for a command
 * that may not run.
 */
void sessions_create(struct operation *operation, struct session *session, int64_t ttl_s,
                     char **token);
/*
 * Lets a live session live for another `ttl_s` from now: its connections go on,
 * *token is a new one (the caller's to wipe and free), and the one before it is
 * good no longer. *out as for create. ERROR_STATE, with the reason, if it has
 * ended; ERROR_NOT_FOUND; ERROR_INVALID for a time that cannot be.
 */
void sessions_renew(struct operation *operation, const char *id, int64_t ttl_s, struct session *out,
                    char **token);
/* Closes the session's live connections. Revoking twice is no error. */
void sessions_revoke(struct operation *operation, const char *id);
/* Every live session of a surface, or (NULL) of all. */
void sessions_revoke_all(struct operation *operation, const char *surface, size_t *count);
/* A single-use ticket for a live session. ERROR_STATE if it is not live. */
enum error sessions_issue_ticket(struct operation *operation, const char *id, char out[TICKET_SIZE],
                                 int64_t *expires_at) MUST_CHECK;

/* After its line was written: a ticket, or another such word, for a session that is live. */
enum error sessions_issue_word(struct operation *operation, struct tickets *words,
                               const char *event, const struct surface_state *surface,
                               const char *id, char out[TICKET_SIZE],
                               int64_t *expires_at) MUST_CHECK;
/* The surface that a session is for; ERROR_STATE if it is configured no longer. */
enum error sessions_surface(struct operation *operation, const struct session *session,
                            struct surface_state **out) MUST_CHECK;
/* A session by its id, for the caller to clear; ERROR_NOT_FOUND. */
enum error sessions_find(struct operation *operation, const char *id,
                         struct session *out) MUST_CHECK;
/* The same, if it is live; ERROR_STATE. */
enum error sessions_find_live(struct operation *operation, const char *id,
                              struct session *out) MUST_CHECK;

/* ---- logins.c: login addresses, for browsers ---- */

/*
 * A single-use login address of a live session, for a browser: good for
 * TICKET_LIFETIME_S, the code in its fragment. `host` is one of the surface's
 * own names, NULL for the best of them. `url` is the caller's to wipe.
 * ERROR_STATE if the session is not live or single-use, ERROR_INVALID for a
 * host that is not the surface's.
 */
enum error logins_issue(struct operation *operation, const char *id, const char *host,
                        struct buffer *url, int64_t *expires_at) MUST_CHECK;

/* ---- switches.c: the kill switch ---- */

/*
 * A surface, or (NULL) all: from now on nobody gets in. It ends well when every connection has
 * gone, nothing is left of what was launched, every session is revoked and the disk has all of it;
 * way.kill says how much that was.
 */
void switches_kill(struct operation *operation, const char *surface);
/*
 * All of them, by an order that came past the control socket: `cause` (static) says how. Before
 * anybody is let in or heard: it waits for the disk.
 */
void switches_lock_down(struct gate *gate, const char *cause);
/*
 * The same connections are cut in the same way, and when the last has gone the surface serves
 * again: nothing is revoked and nothing kept. ERROR_STATE: one is killed, or being cut.
 */
void switches_rehearse(struct operation *operation, const char *surface);
/* How soon after it was asked for the last connection had gone. */
int64_t switches_took_ms(const struct operation *operation);
/* ERROR_STATE: it is still being cut, or everything is under lockdown. */
void switches_arm(struct operation *operation, const char *surface);

/* ---- launched.c: services that Sidelock starts ---- */

/*
 * Ends the surface's service and starts it again; it ends well when the next one is served.
 * Connections to it go with it, those that come meanwhile wait. ERROR_STATE: it has none that is
 * launched, is killed, or the next one is not served, and why.
 */
void launched_restart(struct operation *operation, const char *surface);

/*
 * The private network of the surface's service: when it has ended well, *network is a descriptor of
 * it, the caller's; else -1. ERROR_STATE as above, or nothing of the service runs.
 */
void launched_enter(struct operation *operation, const char *surface, int *network);

/* Proves anew what is served, then calls `next`. */
void launched_prove(struct operation *operation, void (*next)(struct operation *operation));

/* ---- reload.c: reading anew what lies in files ---- */

/*
 * Opens the audit log anew, and reads the configuration as `check` does and the surfaces'
 * certificates. Surfaces that are new, other or gone are put in force at once; connections to all
 * others stay. ERROR_INVALID, with all `faults`: the file is not fit, or says what only a restart
 * can change; then nothing is as it says. ERROR_STATE: another is under way.
 */
void reload_files(struct operation *operation);
