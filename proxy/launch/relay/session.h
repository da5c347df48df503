/*
 * One process and whoever speaks to it: an MCP session of the legacy era, a WebSocket, or all
 * requests of the modern era, which know no session. No two share a process.
 */
#pragma once

#include "launch/relay/child.h"
#include "launch/relay/link.h"
#include "json/scan.h"

#define SESSION_ID_SIZE 33
#define SESSION_BACKLOG_BYTES                                                                      \
    (1024 * 1024)             /* that wait for somebody to listen; then the new go                 \
                               */
#define SESSION_GRACE_MS 2000 /* that a process has to end once its input has ended */

enum session_kind { SESSION_LEGACY = 0, SESSION_MODERN, SESSION_SOCKET };

/* What all sessions of a relay share. */
struct house {
    uv_loop_t *loop;
    struct json_scan *scan;
    struct child_events events; /* of their processes: deliver.h */
    size_t max_message_bytes, max_answer_bytes;
    uint64_t idle_ms; /* 0: for ever */
    struct session *sessions;
    size_t links_open;
    uint32_t numbers;
    void (*start)(struct house *house, uint32_t number); /* a process is asked for */
    void (*stop)(struct house *house, uint32_t number);  /* or its end */
};

struct session {
    struct session *next;
    struct house *house;
    enum session_kind kind;
    char id[SESSION_ID_SIZE]; /* Mcp-Session-Id; "" but in the legacy era */
    uint32_t number;          /* of its process */
    struct child *child;
    struct link *links; /* that wait for something of it */
    struct buffer backlog;
    uint64_t ids;     /* that requests of the modern era have here */
    uint64_t used_ms; /* when something was said last */
    bool ending;      /* it is nobody's any more: what it had in hand is over */
    bool stopped;     /* and so is the patience with its process */
    uint64_t ending_ms;
    bool dry, ended; /* its process says no more; nothing is left of it */
    bool began;      /* its process was started, at that time */
    uint64_t began_ms;
    char version[RPC_VERSION_BYTES_MAX + 1]; /* of the modern era, that it has answered; or "" */
    bool spoke;   /* it has answered a request of the modern era, so it knows that */
    bool strange; /* it wrote what is no message, which was said */
};

/* A process is asked for at once; what is said to it waits. NULL without memory, or an id. */
struct session *session_create(struct house *house, enum session_kind kind);
/* Those that are not ending. */
struct session *session_find(const struct house *house, struct span id);
struct session *session_modern(const struct house *house);
/* Of a process, ending or not. */
struct session *session_of(const struct house *house, uint32_t number);

/* A link waits for something from now on; or for nothing of this session any more. */
void session_join(struct session *session, struct link *link, enum link_wait wait);
void session_part(struct session *session, struct link *link);
/* The link that was asked to listen. NULL: none was. */
struct link *session_listener(const struct session *session);
/* Its process was started: the other ends of its pipes, taken over. */
enum error session_begin(struct session *session, int input, int output) MUST_CHECK;
/* A message for the process. ERROR_LIMIT: it does not read. */
enum error session_say(struct session *session, struct span message) MUST_CHECK;

/*
 * It is over: whoever waits is told, in an error with that text and the name of that reason (the
 * message of a WebSocket's close frame), and the process's input ends. Who waits for the very end
 * is answered by session_gone().
 */
void session_end(struct session *session, const char *text, enum reason reason);
/* Nothing of its process is left: freed. */
void session_gone(struct session *session);
/* The time: patience, and rest. */
void session_tick(struct session *session, uint64_t now_ms);
