/*
 * Admission: a worker's question, the policy's steps over the store, a verdict.
 * Also takes the workers' reports into the audit log and the counters.
 */
#ifndef SIDELOCK_BROKER_ADMIT_H
#define SIDELOCK_BROKER_ADMIT_H

#include "broker/broker.h"
#include "ipc/messages.h"
#include "policy/params.h"
#include "policy/steps.h"

/* ADMIT, DENIED, REFUSED, CLOSED or COUNTS. ERROR_SYNTAX: the worker broke the protocol. */
enum error admit_message(struct broker *broker, unsigned worker, enum ipc_type type,
                         const void *bytes, size_t length) MUST_CHECK;

/* One request on its way through the steps. */
struct admission {
    struct broker *broker;
    unsigned worker;
    struct broker_surface *surface;
    const struct ipc_admit *request; /* borrowed from the message */
    struct session session;          /* filled once the credential is good */
    bool has_session;
    char claimed_session[TOKEN_ID_SIZE]; /* for the log, also of a refused token; "": none */
    struct params *params;               /* the session's record; NULL: it has none */
    struct steps steps;                  /* of the policy */
};

/*
 * After the last step: grants over a link on which the handshake was written;
 * takes over `fd`. HTTP is granted without a link (-1): the worker dials.
 */
void admit_grant(struct admission *admission, int fd, const char *accept);
/* The record that the session names, as it is now and with what it names still permitted. */
enum reason admit_load_params(struct admission *admission);
/* Asks again what may have changed while the service was being asked. */
enum reason admit_still_good(const struct admission *admission);
/*
 * What the steps ask the broker: its switches, keys, store and files. The
 * context is the `struct admission`.
 */
extern const struct steps_asks admit_asks;
/* A token that was in a URL is in histories and logs by now: its session is revoked, and named. */
void admit_revoke_leaked(struct broker *broker, const char *token, char session[TOKEN_ID_SIZE]);
/* Begins a line of the audit log with what is known of the request. */
void admit_begin_line(const struct admission *admission, const char *event);
/* Refuses, with an audit line. */
void admit_refuse(struct admission *admission, enum reason reason);

#endif
