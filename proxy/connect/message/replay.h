/*
 * What another connection has to be told first: the client's own `initialize`, under
 * an id of ours, and its `initialized`. The client must not notice that it was asked again.
 */
#pragma once

#include "connect/message/letter.h"

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
