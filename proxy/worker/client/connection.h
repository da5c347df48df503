/*
 * A client's connection from its acceptance to its end. What it does meanwhile is its
 * mode's: at first the reading of a request's head (client.h), then what was granted,
 * HTTP or a WebSocket. Whoever has a reason to end one calls connection_drop().
 */
#pragma once

#include "base/hash.h"
#include "base/reason.h"
#include "ipc/messages.h"
#include "system/listener.h"
#include "worker/client/process.h"

#define LINGER_TIMEOUT_MS 1000
#define NOTHING_DUE       UINT64_MAX
#define QUIET_FOR_EVER    UINT64_MAX /* it is to end with REASON_REFUSALS_EXCEEDED */

enum connection_state {
    CONNECTION_HEAD = 0,  /* reading a request's head */
    CONNECTION_ASKING,    /* the broker has been asked */
    CONNECTION_SERVED,    /* what was granted is under way: HTTP's exchange, or a WebSocket */
    CONNECTION_LINGERING, /* the last answer was written; the client may read it */
};

struct connection;
struct members; /* members.h */

/* What a connection does. A mode may call the connection; it is called through this. */
struct connection_mode {
    /* Ends it; what is said to whom is the mode's. Not while LINGERING. */
    void (*drop)(struct connection *connection, enum reason reason);
    /* Says to its client what drop() would say, and nothing else; drop() follows. NULL: it cannot
     * be said before. */
    void (*part)(struct connection *connection, enum reason reason);
    /*
     * Whether something is overdue. When it is to be looked at again (rounds.h), unless something
     * happens to it before: 0: as soon as may be; NOTHING_DUE.
     */
    uint64_t (*tick)(struct connection *connection, uint64_t now_ms, int64_t now_s);
    /* A further request's head is there. NULL: there is none. */
    void (*request)(struct connection *connection);
    /* While SERVED: the client's descriptor is ready. NULL: it may do nothing but leave. */
    void (*client_ready)(struct connection *connection, int status, int events);
    /* The broker's answer to a question for a link; taken over. NULL: none is asked for. */
    void (*linked)(struct connection *connection, enum reason reason, int fd);
    /* Since when its client keeps others waiting: for what it was to send, or to take; 0: it does
     * not. Of one that was granted something. */
    uint64_t (*waits_since)(const struct connection *connection);
    /* Lets go of everything at once. */
    void (*release)(struct connection *connection);
    /* Frees what `served` points to. */
    void (*destroy)(struct connection *connection);
};

struct connection {
    struct connection *next, *previous;
    LIST_ENTRY(connection) watched; /* among those that are awake, or rest until a round */
    struct line *line;              /* in which it stands (process.h); NULL: in none */
    struct connection *line_next, *line_previous;
    struct hash_entry by_id;
    struct members *members; /* of its session; NULL: it was granted nothing */
    struct connection *member_next, *member_previous;
    struct worker *worker;
    const struct surface *surface;
    const struct listener *listener;
    const struct connection_mode *mode;
    void *served;              /* the mode's own; NULL until something was granted */
    struct client *client;     /* its HTTP side; NULL once it speaks WebSocket, or at its end */
    const struct route *route; /* of the request that was granted last */
    char *certificate;         /* SHA-256 of the client's, hex; owned; NULL: none */
    uint64_t id;               /* the broker's name for it; a new one after each grant */
    uint64_t deadline_ms;      /* of the current state; 0: none */
    uint64_t quiet_until_ms;   /* it is not read before: its messages were refused, or it owes what
                                  it did (rates.h); 0: it is */
    uint32_t surface_index;
    enum connection_state state;
    uint32_t caller_uid;
    unsigned holds;      /* handles that still know it */
    uint32_t held_bytes; /* of memory (held.h) */
    enum reason reason;  /* why it ended */
    enum reason doom;    /* why it is to be dropped, among the doomed */
    unsigned close_code;
    bool caller_known;
    bool resting;
    bool secured;  /* TLS is up */
    bool hasty;    /* one more than its caller may open: REASON_RATE_CONNECTIONS */
    bool has_room; /* room.h */
    uint8_t party; /* of the lobby's; NO_PARTY: it is not in there */
    /* What was granted (grant.h). */
    bool admitted, opened;
    bool session_verbs_set, session_targets_set;
    char session_id[IPC_SESSION_ID_SIZE];
    char match_digest[IPC_DIGEST_SIZE];
    int64_t expires_at;
    struct text_list session_verbs, session_targets;
    uint64_t requests, messages[DIRECTION_COUNT];
};

_Static_assert(sizeof(struct connection) <= 512, "a thousand of them are idle at once");

struct connection_options {
    struct worker *worker;
    uint32_t surface;
    const struct listener *listener;
    const struct connection_mode *mode;
    bool caller_known;
    uint32_t caller_uid;
};
/* A new one, in the lobby; NULL without memory. */
struct connection *connection_create(const struct connection_options *options);
/* The one way to end it from outside of its mode. Idempotent. */
void connection_drop(struct connection *connection, enum reason reason);
/* The same of each that there is. */
void connection_drop_all(struct worker *worker, enum reason reason);
/* Ends it at once and without another word, in whatever state; nothing of it is in use. */
void connection_cut(struct connection *connection);
/* In the lobby are those that were granted nothing, or nothing any more (lobby.h). */
void connection_enter_lobby(struct connection *connection);
void connection_leave_lobby(struct connection *connection);
void connection_set_state(struct connection *connection, enum connection_state state);
/* Something happens to it: from now on it is looked at in every round, until it rests again. */
void connection_wake(struct connection *connection);
void connection_rest(struct connection *connection, unsigned round);
/* When the session ends under which it was granted something. */
uint64_t connection_expires_ms(const struct connection *connection, uint64_t now_ms, int64_t now_s);
/* Another name for it: what is asked next is another connection to the broker. */
void connection_rename(struct connection *connection);
/* At the end of a line, out of any other; NULL: in none. */
void connection_stand(struct connection *connection, struct line *line);
/* A handle knows it; with the last that lets go it is buried. */
void connection_hold(struct connection *connection);
void connection_let_go(struct connection *connection);
/* One that came to nothing: no handle knows it. */
void connection_discard(struct connection *connection);
/* Frees what is buried: when nothing on the stack knows it any more. */
void connection_reap(struct worker *worker);
struct connection *connection_find(struct worker *worker, uint64_t id);
