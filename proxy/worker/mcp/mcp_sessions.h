/*
 * The MCP sessions that were opened through the gate, each bound to the session
 * that opened it: Streamable HTTP's Mcp-Session-Id (MCP 2025-11-25, transports,
 * session management), and in the older HTTP+SSE (2024-11-05) the endpoint that the
 * service named (mcp_endpoints.h). Nobody else can use one.
 *
 * A session that opens more than its quota loses its own that was used longest ago;
 * where the table is full, whoever has the most loses one. Its client is told 404 and
 * begins anew, as the protocol says. None that is in use gives way.
 */
#pragma once

#include "base/error.h"
#include "base/hash.h"
#include "ipc/messages.h"
#include "policy/yield.h"
#include "vet/vet.h"

#define MCP_SESSIONS_MAX         16384
#define MCP_SESSION_ID_BYTES_MAX 1024

struct exchange;

struct mcp_session {
    struct hash_entry by_id, by_owner; /* of all of them */
    struct yield_item yield;           /* which of its owner's gives way */
    struct mcp_sessions *all;
    uint32_t surface;
    char session_id[IPC_SESSION_ID_SIZE]; /* the gate's session that opened it */
    int64_t expires_at;                   /* that one, as far as is known; 0: not known */
    char *id;                             /* owned */
    struct vet_state *vet;                /* owned; what waits for an answer */
    struct exchange *stream;              /* HTTP+SSE: where its answers come; NULL: none */
    unsigned users;                       /* exchanges that hold it */
    bool ended;                           /* found no more; freed by its last user */
};

/* Empty but for `quotas`. */
struct mcp_sessions {
    struct quotas *quotas; /* borrowed */
    struct hash_table by_id, by_owner;
    struct yields yields;
};

struct mcp_session_key {
    uint32_t surface;
    const char *session_id;
    struct span id;
};

/* Takes hold of one; NULL if this session opened none with that id. */
struct mcp_session *mcp_sessions_find(struct mcp_sessions *sessions,
                                      const struct mcp_session_key *key);
/* Takes hold of one that was found otherwise (mcp_endpoints.h); NULL if it is not this session's,
 * or has ended. */
struct mcp_session *mcp_sessions_hold(struct mcp_sessions *sessions, struct mcp_session *session,
                                      const char *session_id);
/*
 * A new one, with hold taken; takes over `vet`. ERROR_EXISTS if the service gave
 * an id twice, ERROR_DENIED if the session uses as many as it may, ERROR_LIMIT if
 * others do or the id is too long.
 */
enum error mcp_sessions_open(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                             struct vet_state *vet, struct mcp_session **out) MUST_CHECK;
/*
 * A service has but this one id: whoever has it makes room, if it is the very session that asks, or
 * one that has expired by now.
 */
void mcp_sessions_make_way(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                           int64_t now_s);
/* Gives up the hold; NULL is fine. */
void mcp_sessions_release(struct mcp_session *session);
/* Its end: nobody finds it any more. */
void mcp_sessions_end(struct mcp_sessions *sessions, struct mcp_session *session);
/* Ends those of all sessions of a surface. */
void mcp_sessions_end_surface(struct mcp_sessions *sessions, uint32_t surface);
/* Ends those of a session of the gate (NULL: all, and what they were found by is freed). */
void mcp_sessions_end_all(struct mcp_sessions *sessions, const char *session_id);
