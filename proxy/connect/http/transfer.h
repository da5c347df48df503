/* One HTTP request of MCP over HTTP and its answer, on a connection of its own while it lasts. */
#pragma once

#include "connect/bridge/bridge.h"
#include "wire/http_body.h"
#include "wire/sse.h"

#define MCP_SESSION_SIZE 257
#define EVENT_ID_SIZE    257

enum transfer_kind { TRANSFER_POST = 1, TRANSFER_LISTEN, TRANSFER_DELETE };
enum transfer_use { USE_NOTHING = 0, USE_MESSAGE, USE_EVENTS, USE_REFUSAL };

struct transfer;

/* What is told of a transfer. */
struct transfer_user {
    /* The answer's head is good; its session, if it names one, has been noted. */
    void (*accepted)(struct transfer *transfer);
    /* The answer to its request has come; the stream may go on. */
    void (*answered)(struct transfer *transfer);
    /*
     * It is through; `why` NULL: and in order. If it was not `sent`, the gate could not be
     * reached; of USE_REFUSAL `text` is the body. Destroys it, or has it begin again.
     */
    void (*ended)(struct transfer *transfer, const char *why);
};

#define IDLE_MAX 32

/* A connection that is open and idle, for the next request. */
struct idle {
    struct stream *stream; /* NULL: a free place */
    uint64_t since_ms;
};

/* All of a surface's, and what they share. */
struct transfers {
    struct bridge *bridge;
    const struct transfer_user *user;
    struct transfer *first;
    struct idle idle[IDLE_MAX];
    char session[MCP_SESSION_SIZE]; /* Mcp-Session-Id; "": none */
};

struct transfer {
    struct transfer *next;
    struct transfers *all;
    struct stream *stream; /* NULL: none yet, or waiting to begin again */
    enum transfer_kind kind;
    struct letter *letter;     /* of a POST; owned */
    char key[RPC_ID_KEY_SIZE]; /* of the request it is to answer; "": none */
    bool sent, answered, has_head, ended;
    bool resuming; /* a POST whose stream is taken up by a GET */
    struct buffer head;
    unsigned status;
    struct http_body body;
    enum transfer_use use;
    struct buffer text;             /* of USE_MESSAGE and USE_REFUSAL */
    struct sse_parser events;       /* of USE_EVENTS */
    char session[MCP_SESSION_SIZE]; /* the service's, as it was sent with; "": none */
    char last_id[EVENT_ID_SIZE];
    uint64_t retry_ms; /* 0: not said */
    unsigned resumes;
    uv_timer_t timer;
};

/* Takes the letter over (NULL: it is no POST). NULL without memory; the letter is then freed. */
struct transfer *transfer_create(struct transfers *all, enum transfer_kind kind,
                                 struct letter *letter);
/* Sends it, on an idle connection or a new one; may tell of it before this returns. */
void transfer_begin(struct transfer *transfer);
/* Begins again after a while, as the service wishes: its stream ended early. */
void transfer_begin_again(struct transfer *transfer);
/* Ends it without another word; a connection in the middle of it is closed. */
void transfer_destroy(struct transfer *transfer);

/* Whether another one may begin. */
bool transfers_have_room(const struct transfers *all, bool request);
void transfers_pause(struct transfers *all, bool pause);
void transfers_clear(struct transfers *all);
