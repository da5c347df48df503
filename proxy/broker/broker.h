/*
 * The broker: the process that holds the keys. Its state, shared by the files
 * of this folder and by nobody else.
 *
 *   broker.c      starts and stops everything; listeners, signals
 *   workers.c     the worker processes: start, replace, tell
 *   admit.c       one admission question from a worker -> verdict and descriptor
 *   admit_session.c  the credential, its session and parameter record
 *   upstream.c    the way to the service: connect, write the handshake
 *   dial.c        further links, for HTTP under a grant
 *   prepare.c     routes that ask the service for a path first
 *   reports.c     what workers tell -> audit log, counters, list of connections
 *   operations.c  what an operator can do: records, sessions, kill switch
 *   control.c     the control socket: HTTP and JSON in, operations called
 *   register.c    the loopback exception register from configuration and state
 *   denials.c     how many denials may have a line of their own
 *   certificates.c  what surfaces speak TLS with
 *   tickets.c     short single-use tickets for clients that cannot send a header; login codes
 *   browser.c     /.sidelock/...: logs browsers in and out
 */
#ifndef SIDELOCK_BROKER_BROKER_H
#define SIDELOCK_BROKER_BROKER_H

#include "base/reason.h"
#include "broker/core/denials.h"
#include "config/config.h"
#include "store/store.h"
#include "system/audit.h"

#include <stdint.h>
#include <uv.h>

/* One bound socket of a surface. */
struct broker_listener {
    int fd;
    char address[64]; /* "127.0.0.1:8081", "[::1]:8081": as bound, port resolved */
    uint16_t port;
};

/* A surface at run time. Counters are since start. */
struct broker_surface {
    const struct surface *config;
    bool killed;
    struct broker_listener *listeners;
    size_t listener_count;
    struct tls_files *tls; /* what it shows to clients; NULL: plain. certificates.c */
    uint64_t admitted;
    uint64_t denied;
    uint64_t messages_forwarded;
    uint64_t messages_refused; /* in observe mode: would have been */
};

struct tls_files;
struct workers;
struct tickets;
struct control;
struct connections;
struct prepare;

struct broker {
    const struct config *config; /* borrowed */
    const char *config_path;     /* borrowed */
    struct store *store;
    struct audit *audit;
    char audit_path[4096]; /* <state_dir>/audit.jsonl */
    struct tickets *tickets;
    struct tickets *login_codes;
    struct workers *workers;
    struct control *control;
    struct connections *connections; /* the live ones */
    struct prepare *preparing;       /* admissions that wait for the service's answer */
    size_t preparing_count;
    struct broker_surface *surfaces; /* config->surface_count of them, same order */
    uv_loop_t *loop;
    int64_t started_at;
    uint64_t worker_restarts;
    uint64_t denied_by_reason[REASON_COUNT];
    struct denials denials;
};

/* The run-time surface called `name`, or NULL. */
struct broker_surface *broker_surface(struct broker *broker, const char *name);
/* Seconds since the epoch. */
int64_t broker_now(void);

/* connections.c: one entry a live connection, kept from the workers' reports. */
struct connection_entry {
    uint64_t id; /* unique while the broker lives */
    unsigned worker;
    const struct broker_surface *surface;
    char session_id[TOKEN_ID_SIZE];
    uint32_t caller_uid;
    bool caller_known;
    int64_t since;
};
enum error connections_create(struct connections **out) MUST_CHECK;
void connections_destroy(struct connections *connections);
enum error connections_add(struct connections *connections,
                           const struct connection_entry *entry) MUST_CHECK;
void connections_remove(struct connections *connections, uint64_t id);
void connections_remove_worker(struct connections *connections, unsigned worker);
/* The live connection with this id, or NULL. */
const struct connection_entry *connections_find(const struct connections *connections, uint64_t id);
/* Live connections of a surface (NULL: any) and a session id (NULL: any). */
size_t connections_count(const struct connections *connections,
                         const struct broker_surface *surface, const char *session_id);

/* workers.c: tells every worker; what is said is in force within 100 ms. */
/* Closes the live connections of a session (NULL: every session) with a reason's close code. */
void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason);
/* The session's live connections end at `expires_at` (seconds since the epoch). */
void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at);
/* Closes every live connection of a surface; index into config->surfaces. */
void workers_cut_surface(struct workers *workers, size_t surface, enum reason reason);

/* What surfaces speak TLS with from now on. */
void workers_send_certificates(struct workers *workers);

/*
 * tickets.c: single-use words for a session, in memory only; a restart forgets
 * them. Tickets and login codes are both such words, kept apart.
 */
#define TICKET_SIZE       23 /* 128 random bits, base64url, with NUL */
#define TICKET_LIFETIME_S 60
enum error tickets_create(struct tickets **out) MUST_CHECK;
void tickets_destroy(struct tickets *tickets);
enum error tickets_issue(struct tickets *tickets, const char *session_id, int64_t now,
                         char out[TICKET_SIZE]) MUST_CHECK;
/* Uses a ticket up: at most once true. */
bool tickets_redeem(struct tickets *tickets, struct span ticket, int64_t now,
                    char session_id[TOKEN_ID_SIZE]);

#endif
