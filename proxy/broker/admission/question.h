/*
 * What a worker asks, on its way through the steps: about a request (ADMIT), or for a
 * link under a grant (DIAL); and the two ends of it, granted or refused.
 */
#pragma once

#include "broker/core/executables.h"
#include "broker/core/workers.h"
#include "ipc/messages.h"
#include "policy/params.h"
#include "policy/steps.h"
#include "system/caller_program.h"
#include "system/peer.h"

struct question {
    struct gate *gate;
    struct incarnation from; /* who asked, and alone is answered */
    struct surface_state *surface;
    uint64_t asked_ns; /* when, by a clock that never goes back */
    /* What the broker knows itself: the kernel's word, not the worker's. */
    const struct surface_listener *listener; /* that accepted the connection */
    bool caller_known;
    uint32_t caller_uid;
    uint32_t caller_inode; /* of the client's socket */
    struct peer peer;
    bool groups_awaited; /* that user's groups are being looked up */
    bool caller_in_group;
    uint32_t caller_gid;                 /* the group for which he may call */
    bool program_looked;                 /* it was looked for: */
    char program[CALLER_PROGRAM_SIZE];   /* what calls, a hint; "": not known */
    const struct ipc_admit *message;     /* borrowed; NULL: it is the other */
    const struct ipc_dial *dial;         /* borrowed; NULL: it is the other */
    struct request request;              /* out of either, with what the broker knows */
    char path[REQUEST_PATH_BYTES_MAX];   /* the request's, decoded */
    struct session session;              /* empty until the credential is good */
    char claimed_session[TOKEN_ID_SIZE]; /* for the log, also of a refused token; "": none */
    struct params *params;               /* the session's record; NULL: it has none */
    struct steps steps;                  /* of the policy */
    unsigned looks;                      /* into files that the record names */
};

/* `request` out of the message, for the steps; again when the message lies elsewhere. */
void question_read_request(struct question *question);
/* The Host towards the service, once there is a route; `room` is for one that is made up. */
const char *question_host(const struct question *question, char room[CONFIG_LOCALHOST_SIZE]);
void question_clear(struct question *question);
/* As if it were cleared: all that it owned is somebody else's. */
void question_disown(struct question *question);

/* Begins a line of the audit log (journal_begin) with what is known of the request. */
struct audit *question_begin_line(const struct question *question, const char *event);
/* What became of it, for the worker; takes `fd` (-1: none) over. */
void question_settle(const struct question *question, const struct ipc_verdict *verdict, int fd);
/* Refuses: a request with an audit line; of a link, the worker tells the denial. */
void question_refuse(struct question *question, enum reason reason);
/*
 * Grants over a link on which the handshake was written; takes over `fd`. HTTP
 * is granted without a link (-1): the worker dials.
 */
void question_grant(struct question *question, int fd, const char *accept);

/*
 * browser.c, for the gate's own paths (policy/own_path.h): a login code becomes a cookie, a session
 * a ticket, a log-out the end of the session. The worker has the pages. Refuses or answers.
 */
void browser_answer(struct question *question);

/* ---- authenticate.c: the credential, the session behind it and the record that it names ---- */

/* What the steps ask the broker: its keys, store and files. Their context is a question. */
extern const struct steps_asks authenticate_asks;

/* The record that the session names, as it is now. */
enum reason authenticate_record(struct question *question);
/*
 * Whether what that record names may still run: it was checked when it was stored, and files
 * change. *unknown with a refusal: that is not known yet, and `wait` (NULL: nobody) will be told.
 */
enum reason authenticate_files(const struct question *question, struct executables_wait *wait,
                               bool *unknown);
/* Asks again what may have changed since: while the service was being asked, or since the grant. */
enum reason authenticate_again(struct question *question);
/*
 * Whether what was found astray is ours. What was in a URL is in histories and logs by now: its
 * session is revoked, and named.
 */
bool authenticate_stray(struct gate *gate, const struct credential *found,
                        char session[TOKEN_ID_SIZE]);

/*
 * files.c: waits until what is unknown of the record's files is known, and goes on with `then`,
 * which asks authenticate_files() again. Takes over what the question owns (it is empty on
 * return); refuses it without room.
 */
void files_wait(struct question *question, void (*then)(struct question *question));

/*
 * callers.c. What is known of the calling user's groups, where the surface's rules need them; for
 * the steps, until the loop turns.
 */
void callers_look(struct question *question);
/* As files_wait(), until they are known or have taken too long; `then` judges everything again. */
void callers_wait(struct question *question, void (*then)(struct question *question));

/* program.c. The same, until the calling program was looked for. */
void program_wait(struct question *question, void (*then)(struct question *question));

/*
 * prepare.c. Routes with `prepare`: before the WebSocket is opened, the stored parameters
 * are POSTed to the service, and its answer names the path to upgrade on
 * (AutoGen Studio since its fix). Neither the client's bytes nor the worker
 * come near it. The loop goes on meanwhile (waiting.h).
 */

/*
 * Takes over the connected descriptor and what the question owns (it is empty
 * on return); grants or refuses later, by upstream_timeout_ms at the latest.
 */
void prepare_start(struct question *question, int fd);
