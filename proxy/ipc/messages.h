/*
 * What broker and worker say to each other, and when they may.
 *
 *   worker                                broker
 *        ◀──────────────────────────── TLS       a surface's certificate and key; again on reload
 *     READY ────────────────────────────▶        sandboxed, by which fences, and accepting
 *     ADMIT ────────────────────────────▶        may this request come in? With the client's
 *                                                own descriptor: who calls, the kernel says
 *        ◀──────────────────────────── VERDICT   no, and why; or yes, for an upgrade with the
 *                                                link's descriptor, for HTTP as a grant to
 *                                                this connection
 *     DIAL ─────────────────────────────▶        a link for a request under the grant
 *        ◀──────────────────────────── LINK      the descriptor; or no, and why
 *     DENIED, REFUSED, SUPPRESSED, CLOSED, COUNTS
 *           ────────────────────────────▶        reports, for the audit log and the counters
 *        ◀──────────── CUT_SESSION, CUT_SURFACE  close these connections now
 *        ◀──────────────────────────── EXTEND    the session lives until then
 *        ◀──────────────────────────── CONFIG    the configuration in force from now on, and the
 *                                                slot of each surface; what is new in it, then TLS
 *                                                and LISTEN for that
 *        ◀──────────────────────────── SWITCH    the surfaces whose slots were not named are over
 *     SWITCHED ─────────────────────────▶        that is so; nobody is let in to them any more
 *     VACATED ──────────────────────────▶        nothing of a slot is left, and nothing is said of
 *                                                it until it is another surface's
 *     VITALS ───────────────────────────▶        how it does itself; now and then
 *     SCRAPE ───────────────────────────▶        somebody reads the telemetry page
 *        ◀──────────────────────────── SCRAPED   what is to be read there
 *        ◀──────────────────────────── DRAIN     say goodbye to everybody and exit
 *
 * Structures are borrowed views: texts point into the message's bytes, or into
 * the caller's memory when encoding.
 */
#pragma once

#include "base/error.h"
#include "base/histogram.h"
#include "base/reason.h"
#include "ipc/wire_format.h"
#include "policy/quota.h"
#include "policy/request.h"

#define IPC_CONNECTION_MAX  ((UINT64_C(1) << 40) - 1) /* a connection's number; 0 is none */
#define IPC_HEADERS_MAX     16
#define IPC_ACCEPT_SIZE     29
#define IPC_REQUEST_ID_SIZE 17 /* 64 random bits, hex, with NUL */
#define IPC_SESSION_ID_SIZE 33
#define IPC_DIGEST_SIZE     65
#define IPC_SURFACES_MAX    64

enum ipc_type {
    IPC_NONE = 0,
    IPC_READY,
    IPC_ADMIT,
    IPC_DENIED,
    IPC_REFUSED,
    IPC_CLOSED,
    IPC_COUNTS,
    IPC_VERDICT,
    IPC_CUT_SESSION,
    IPC_CUT_SURFACE,
    IPC_DRAIN,
    IPC_DIAL,
    IPC_LINK,
    IPC_EXTEND,
    IPC_TLS,
    IPC_SUPPRESSED,
    IPC_LISTEN,
    IPC_CONFIG,
    IPC_SWITCH,
    IPC_SWITCHED,
    IPC_VACATED,
    IPC_VITALS,
    IPC_SCRAPE,
    IPC_SCRAPED,
    IPC_TYPE_COUNT
};

/* How far a worker has come; the broker accepts from it what its state permits (its inbox.c). */
enum ipc_state { IPC_STARTING = 0, IPC_RUNNING, IPC_DRAINING };

struct ipc_header_pair {
    const char *name;
    const char *value;
};

/* What it found out about its fences (system/proof.h); its status comes along, if it has one. */
struct ipc_ready {
    uint32_t landlock, tried, refused;
};

/*
 * What of the request the worker does not say, the broker finds out itself: the caller,
 * the listener, whether it is TLS.
 */
struct ipc_admit {
    uint64_t connection; /* the worker's name for it: given once in its life */
    uint32_t surface;    /* the surface's slot */
    int client;          /* the accepted socket, as it came beside the bytes; borrowed */
    const char *request_id;
    struct request request;
    struct ipc_header_pair headers[IPC_HEADERS_MAX];
    uint32_t header_count;
};

struct ipc_list {
    bool set; /* false: no list, which is not an empty list */
    const char *items[IPC_LIST_MAX];
    uint32_t count;
};

struct ipc_verdict {
    uint64_t connection;
    uint32_t surface;                     /* as in the question */
    enum reason reason;                   /* REASON_ALLOWED: the descriptor comes along */
    char session_id[IPC_SESSION_ID_SIZE]; /* "" on denial */
    int64_t expires_at;                   /* seconds since the epoch */
    uint32_t route;                       /* index into the surface's routes */
    char accept[IPC_ACCEPT_SIZE];         /* Sec-WebSocket-Accept that the service owes */
    const char *offer;                    /* subprotocols offered to the service; "": none */
    char match_digest[IPC_DIGEST_SIZE];   /* "": the session has nothing to match */
    struct ipc_list verbs, targets;       /* the session's own limits */
    bool once;                            /* the grant is for this request alone */
    bool crowded;           /* other workers that serve the surface hold fewer connections */
    const char *answer;     /* what a request to the gate's own paths is answered, "": the page
                               that the worker has for it; NULL: it was no such request */
    const char *set_cookie; /* a Set-Cookie value that goes with it; NULL: none */
};

/*
 * Asks for a link to the service under the grant that a connection has. Where the
 * route adds stored values, `fields` are the header lines to send, but for those that frame
 * the body, and the broker writes the head, and a stored body, itself.
 */
struct ipc_dial {
    uint64_t connection;
    uint32_t surface;
    const char *request_id;
    const char *method, *path, *query, *host; /* the path as sent */
    const char *fields;                       /* NULL: nothing is to be written */
    const char *body_value; /* digest of the client's value for the route's `body`; NULL: none */
    uint32_t body;          /* how the body that follows is framed: enum http_body_kind, */
    uint64_t body_bytes;    /* and its length, if it has one */
};

struct ipc_link {
    uint64_t connection;
    uint32_t surface;
    enum reason reason; /* REASON_ALLOWED: the descriptor comes along */
};

/* A denial that the worker decided: the request never reached the broker. */
struct ipc_denied {
    uint64_t connection; /* under whose grant it came; 0: none */
    uint32_t surface;
    enum reason reason;
    bool caller_told; /* who called, in the worker's word: for the log alone */
    uint32_t caller_uid_told;
    const char *target; /* raw, if a credential of ours may stand in it; NULL: not so */
    const char *path;   /* NULL if none is known; likewise what follows */
    const char *request_id;
    const char *method, *host;
    const char *peer_told; /* whence, in the worker's word; "": from this machine */
    const char *seen;      /* what was found wrong, of the request or of the service's answer */
};

/* A refused message; in observe mode one that would have been. */
struct ipc_refused {
    uint64_t connection;
    uint32_t surface;
    uint32_t direction; /* enum direction */
    bool observed;
    enum reason reason;
    const char *verb, *target;
};

/* How many refused messages of a session had no REFUSED, since the last of these. */
struct ipc_suppressed {
    uint32_t surface;
    const char *session_id;
    uint64_t count;
};

/* The end of every admitted connection, told exactly once. */
struct ipc_closed {
    uint64_t connection;
    uint32_t surface;
    bool opened; /* false: the client never got its 101 */
    enum reason reason;
    uint32_t close_code;
    uint64_t requests; /* of HTTP; 0 for a WebSocket */
    uint64_t messages_c2s, messages_s2c;
    /* As of a denial, if it is one: it was not opened. */
    const char *request_id, *path, *host, *seen;
};

struct ipc_counts {
    uint32_t surface;
    uint64_t forwarded, refused; /* since the last report */
    uint64_t denied;             /* requests that had no DENIED, the broker being slow */
    uint64_t requests;           /* of HTTP, under grants */
    struct histogram service;    /* from sending a request to its answer's head */
    struct quota_counts quotas;
};

struct ipc_cut_session {
    const char *session_id; /* NULL: every session */
    enum reason reason;
};

struct ipc_cut_surface {
    uint32_t surface;
    enum reason reason;
};

/* The session was renewed: its live connections end at another time. */
struct ipc_extend {
    const char *session_id;
    int64_t expires_at; /* seconds since the epoch */
};

/* What a surface speaks TLS with from now on: PEM. Whoever has it wipes it after use. */
struct ipc_tls {
    uint32_t surface;
    const char *certificate, *key;
    const char *client_ca; /* NULL: clients are asked for no certificate */
};

/* A further listener of a surface: the descriptor comes along. */
struct ipc_listen {
    uint32_t surface;
};

/* The configuration anew: its sealed bytes come along. */
struct ipc_config {
    uint64_t slots[IPC_SURFACES_MAX]; /* of its surfaces, in their order */
};

struct ipc_vacated {
    uint32_t surface;
};

/* Of the process itself, since the last report. */
struct ipc_vitals {
    uint64_t cpu_us;           /* of all its life */
    uint64_t strays;           /* requests to the telemetry page that were no such */
    struct histogram loop_lag; /* by how much its timer was late */
};

/* The text comes along, as a descriptor of so many bytes; none: it cannot be had. */
struct ipc_scraped {
    uint32_t unready; /* a bit for each enum unready that holds */
    uint64_t bytes;
};

/* The type of a message; IPC_NONE if it has none that is known. */
enum ipc_type ipc_type_of(const void *bytes, size_t length);

/* Appends a whole message, type first, from its structure; `writer->failed` if it does not fit. */
void ipc_encode(struct ipc_writer *writer, enum ipc_type type, const void *message);
/*
 * Takes the whole message into its structure (NULL for SWITCH, SWITCHED, SCRAPE and
 * DRAIN, which say nothing more than their type); ERROR_SYNTAX if one byte is too many, too few or
 * not what it may be.
 */
enum error ipc_decode(enum ipc_type type, const void *bytes, size_t length, void *out) MUST_CHECK;
