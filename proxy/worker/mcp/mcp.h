/*
 * MCP over HTTP (Streamable HTTP in both eras, and the older HTTP+SSE): what an
 * exchange on a route of kind mcp-http does beside relaying. A POST's message is
 * vetted before the service hears of it; an answer is vetted whole, or event by
 * event and written anew.
 *
 *   mcp.c           the request, and an answer that is one message
 *   mcp_events.c    an answer that is a stream of events
 *   mcp_reply.c     what the service is told when it asks for what it may not
 *   mcp_sessions.c  who opened which MCP session
 */
#ifndef SIDELOCK_WORKER_MCP_H
#define SIDELOCK_WORKER_MCP_H

#include "vet/mcp_http.h"
#include "wire/sse.h"
#include "worker/http/exchange.h"
#include "worker/mcp/mcp_sessions.h"

struct mcp {
    struct mcp_session *session; /* held; NULL: none is named */
    struct vet_state *own;       /* without a session; owned; NULL until needed */
    char *target;                /* the path and query that were asked for; owned */
    char *headers[3];            /* of struct mcp_http_headers; owned */
    bool post, deletes, replay;
    bool endpoint; /* the stream of HTTP+SSE whose session ends with it */
    enum mcp_era era;
    char awaited[VET_ID_BYTES_MAX + 3]; /* the request that was forwarded; "": none */
    bool resumable;                     /* its answer may come on another stream */
    struct sse_parser events;
    struct buffer out; /* events towards the client */
};

/* Reads the head of a request; *hold if its body must be vetted. */
enum reason mcp_begin(struct connection *connection, const struct ipc_admit *admit, bool *hold);
/* The held request is whole. */
void mcp_request(struct connection *connection);
/* Refuses what never reached the service, in JSON-RPC's words where there are any. */
void mcp_refuse(struct connection *connection, const struct mcp_http_refused *refused);
/* The head of the answer is there: what becomes of its body? */
enum reason mcp_answer_begin(struct connection *connection, const struct http_response *response,
                             enum answer_mode *mode);
/* The held answer is whole. */
void mcp_answer(struct connection *connection);
/* Forgets the exchange. */
void mcp_end(struct connection *connection);

/* What waits for an answer: of the MCP session, else of this exchange; NULL without memory. */
struct vet_state *mcp_vet_state(struct connection *connection);
/* Counts and reports what was vetted. */
void mcp_note(struct connection *connection, enum direction direction,
              const struct vet_result *result);

/* mcp_reply.c */
/* Tells the service, in a POST of the gate's own, that what it asked for on a stream is refused. */
void mcp_reply(struct connection *connection, struct span text);
/* The link for that; taken over. */
void mcp_reply_linked(struct connection *connection, enum reason reason, int fd);

/* mcp_events.c */
/* A message of the gate's own on the stream of HTTP+SSE; false if that is at its end, or not
 * read. */
bool mcp_events_say(struct connection *stream, struct span text);
void mcp_events_receive(struct connection *connection, struct span piece);

#endif
