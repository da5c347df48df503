/*
 * One request that a worker asks about, on its way through the steps; and the
 * two ends of it, granted or refused.
 */
#pragma once

#include "broker/core/workers.h"
#include "ipc/messages.h"
#include "policy/params.h"
#include "policy/steps.h"

struct question {
    struct gate *gate;
    unsigned worker;
    struct surface_state *surface;
    const struct ipc_admit *message;     /* borrowed; NULL: not about a request, but a link */
    struct session session;              /* empty until the credential is good */
    char claimed_session[TOKEN_ID_SIZE]; /* for the log, also of a refused token; "": none */
    struct params *params;               /* the session's record; NULL: it has none */
    struct steps steps;                  /* of the policy */
};

void question_clear(struct question *question);

/* Begins a line of the audit log with what is known of the request. */
void question_begin_line(const struct question *question, const char *event);
/* Refuses, with an audit line. */
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
