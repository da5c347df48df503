/* A message from the client on its way, and the queue in which such messages wait. */
#pragma once

#include "connect/message/rpc.h"

#define LETTER_HOLD_MS 30000 /* how long a message waits for the gate to come back */

struct letter {
    struct letter *next;
    char *bytes; /* owned; one line */
    size_t length;
    enum rpc_kind kind;
    char key[RPC_ID_KEY_SIZE]; /* of a request; "": none */
    bool modern, initialize, initialized;
    bool replay;           /* ours: the client does not see the answer */
    struct buffer headers; /* of the modern era */
    uint64_t since_ms;
    unsigned tries;
    char reason[RPC_REASON_SIZE]; /* why it was sent back last; "": not by the gate */
};

/* A copy of the text; NULL without memory. */
struct letter *letter_create(struct span text, const struct rpc *rpc, uint64_t now_ms);
void letter_destroy(struct letter *letter);

struct letters {
    struct letter *first, **last;
    size_t bytes;
};

void letters_init(struct letters *letters);
void letters_clear(struct letters *letters);
/* These two take the letter over. */
void letters_append(struct letters *letters, struct letter *letter);
void letters_prepend(struct letters *letters, struct letter *letter);
struct letter *letters_take(struct letters *letters); /* the first, or NULL */
/* The first if it has waited for longer than LETTER_HOLD_MS; call until it is NULL. */
struct letter *letters_take_expired(struct letters *letters, uint64_t now_ms);
bool letters_have(const struct letters *letters, const char *key);

/* ---- Replay ---- */

/*
 * What another connection has to be told first: the client's own `initialize`, under
 * an id of ours, and its `initialized`. The client must not notice that it was asked again.
 */
/* Embedded by its user, who calls replay_clear. */
struct replay {
    char *initialize, *initialized;          /* the first under our id; owned; NULL: not yet */
    bool needed;                             /* by a service that forgot its session */
    char id[RPC_ID_KEY_SIZE];                /* ours, as JSON and as a key */
    char version[RPC_VERSION_BYTES_MAX + 1]; /* negotiated; "": not yet, or modern */
};

/* ERROR_CRYPTO: no random id could be made. */
enum error replay_init(struct replay *replay) MUST_CHECK;
void replay_clear(struct replay *replay);

/* Keeps a message of the client's if it is one of the two. */
void replay_keep(struct replay *replay, struct span text, const struct rpc *rpc);
/* A copy of either to be sent again; NULL if there was none. */
struct letter *replay_initialize(const struct replay *replay, uint64_t now_ms);
struct letter *replay_initialized(const struct replay *replay, uint64_t now_ms);
/* The answer to our own initialize: whether the service takes up where the one before left off. */
bool replay_answered(struct replay *replay, const struct rpc *answer);
