/*
 * What one party may have of the things that all share: one table, so that no
 * session, caller or surface fills a room that others need. Each row is a thing, per what
 * it is counted, how many there may be at once, and who gives way at the limit: the
 * new one is refused with the row's reason, or the holder's own oldest goes and whoever
 * still wanted it is told the row's reason. config/README.md quotes it.
 *
 * A process counts what it holds itself: of a surface with several workers, each
 * counts alone. One that sets a rate has one worker.
 */
#pragma once

#include "base/error.h"
#include "base/reason.h"
#include "base/text.h"

enum quota_per { QUOTA_PER_SESSION = 0, QUOTA_PER_CALLER, QUOTA_PER_SURFACE };
enum quota_yields { QUOTA_NEW = 0, QUOTA_OWN_OLDEST };

#define QUOTA_CONFIGURED 0 /* the surface's `limits` say how many: quota_take_within() */

/* QUOTA(symbol, published name, per, how many, who gives way, reason, what it is) */
#define QUOTA_TABLE(QUOTA)                                                                         \
    QUOTA(TICKETS, "tickets", SESSION, 32, OWN_OLDEST, TICKET_INVALID,                             \
          "tickets that nobody has used yet")                                                      \
    QUOTA(LOGIN_CODES, "login_codes", SESSION, 8, OWN_OLDEST, LOGIN_INVALID,                       \
          "login addresses that nobody has opened yet")                                            \
    QUOTA(QUESTIONS, "questions", SESSION, 32, NEW, QUOTA_QUESTIONS,                               \
          "requests that wait for what must come before the service is asked")                     \
    QUOTA(CALLER_QUESTIONS, "caller_questions", CALLER, 32, NEW, QUOTA_QUESTIONS,                  \
          "requests that wait for a look at the calling user's groups")                            \
    QUOTA(SURFACE_QUESTIONS, "surface_questions", SURFACE, 256, NEW, QUOTA_QUESTIONS,              \
          "both, of all its sessions and users")                                                   \
    QUOTA(LINKS, "links", SESSION, 512, NEW, QUOTA_QUESTIONS,                                      \
          "requests that wait for a link to a service that is launched")                           \
    QUOTA(SURFACE_LINKS, "surface_links", SURFACE, 2048, NEW, QUOTA_QUESTIONS,                     \
          "the same, of all its sessions")                                                         \
    QUOTA(CONNECTIONS, "connections", SESSION, QUOTA_CONFIGURED, NEW, QUOTA_CONNECTIONS,           \
          "connections that were granted")                                                         \
    QUOTA(CALLER_CONNECTIONS, "caller_connections", CALLER, QUOTA_CONFIGURED, NEW, CALLER_FULL,    \
          "the same, of all its sessions")                                                         \
    QUOTA(STRANGERS, "strangers", CALLER, QUOTA_CONFIGURED, OWN_OLDEST, STRANGERS_FULL,            \
          "connections that were granted nothing: what room is left")                              \
    QUOTA(BODIES, "bodies", SESSION, 256, NEW, QUOTA_BODIES,                                       \
          "requests whose bodies are being received")                                              \
    QUOTA(HELD, "held_bytes", SESSION, QUOTA_CONFIGURED, OWN_OLDEST, QUOTA_HELD,                   \
          "bytes that are not whole yet, or not taken: half of what the worker keeps")             \
    QUOTA(MCP_SESSIONS, "mcp_sessions", SESSION, 128, OWN_OLDEST, MCP_SESSION_UNKNOWN,             \
          "MCP sessions; of those that are in use none gives way")                                 \
    QUOTA(HANDLES, "handles", SESSION, 1024, OWN_OLDEST, HANDLE_UNKNOWN,                           \
          "tasks that it was given, and as many events to go on from")                             \
    QUOTA(OUTSTANDING, "outstanding", SESSION, 8192, NEW, OUTSTANDING_LIMIT,                       \
          "requests in messages that wait for their answer, the service's too")                    \
    QUOTA(REPORTS, "reports", SESSION, 200, NEW, REFUSALS_EXCEEDED,                                \
          "refused messages with a line of their own in the audit log; the rest are counted")      \
    QUOTA(REQUESTS, "requests", SESSION, QUOTA_CONFIGURED, NEW, RATE_REQUESTS,                     \
          "requests over HTTP a second")                                                           \
    QUOTA(MESSAGES, "messages", SESSION, QUOTA_CONFIGURED, NEW, RATE_MESSAGES,                     \
          "the client's messages a second, its pings and pongs among them")                        \
    QUOTA(BYTES, "bytes", SESSION, QUOTA_CONFIGURED, NEW, RATE_BYTES,                              \
          "bytes of the client's messages and bodies a second")                                    \
    QUOTA(NEW_CONNECTIONS, "new_connections", CALLER, QUOTA_CONFIGURED, NEW, RATE_CONNECTIONS,     \
          "connections that are accepted a second")                                                \
    QUOTA(SESSIONS, "sessions", SURFACE, QUOTA_CONFIGURED, NEW, QUOTA_SESSIONS,                    \
          "sessions that live")                                                                    \
    QUOTA(PROCESSES, "processes", SESSION, 32, NEW, QUOTA_PROCESSES,                               \
          "processes of a stdio service, one for each MCP session")                                \
    QUOTA(SURFACE_PROCESSES, "surface_processes", SURFACE, 128, NEW, QUOTA_PROCESSES,              \
          "the same, of all its sessions")                                                         \
    QUOTA(LAUNCHES, "launches", SURFACE, 128, NEW, RATE_LAUNCHES, "such processes that are started")

/* Rows that are so many a second in the long run, and their `limit` at once. */
#define QUOTA_RATES(RATE) RATE(REPORTS, 20) RATE(LAUNCHES, 8)

enum quota {
#define QUOTA_SYMBOL(symbol, name, per, limit, yields, reason, text) QUOTA_##symbol,
    QUOTA_TABLE(QUOTA_SYMBOL)
#undef QUOTA_SYMBOL
        QUOTA_COUNT
};

struct quota_info {
    const char *name;
    enum quota_per per;
    unsigned limit; /* QUOTA_CONFIGURED */
    enum quota_yields yields;
    enum reason reason;
    const char *text;
};

const struct quota_info *quota_info(enum quota row);
/* Of a rate; 0 for things that are held. */
unsigned quota_per_second(enum quota row);
/* "session", "caller", "surface" */
const char *quota_per_text(enum quota_per per);

/* How often each row's limit was felt, since start or since the last report. */
struct quota_counts {
    uint64_t refused[QUOTA_COUNT], gave_way[QUOTA_COUNT];
};

#define QUOTA_WHO_BYTES_MAX 40

/* Who has something: a session's id, a caller's uid, or nothing for the surface itself. */
struct quota_holder {
    uint32_t surface; /* index into the configuration */
    unsigned char length;
    char who[QUOTA_WHO_BYTES_MAX];
};

struct quota_holder quota_session(uint32_t surface, const char *session_id);
struct quota_holder quota_caller(uint32_t surface, uint32_t uid);
struct quota_holder quota_surface(uint32_t surface);

/* Who has how many of what; nothing is kept of those who have nothing. */
struct quotas;

enum error quotas_create(size_t surface_count, struct quotas **out) MUST_CHECK;
void quotas_destroy(struct quotas *quotas);
/* What was felt on a surface; for the owner to read and to clear. */
struct quota_counts *quotas_counts(struct quotas *quotas, uint32_t surface);

/* Adds what another process felt. */
void quota_count(struct quota_counts *total, const struct quota_counts *more);

unsigned quota_held(const struct quotas *quotas, enum quota row, struct quota_holder holder);
bool quota_is_full(const struct quotas *quotas, enum quota row, struct quota_holder holder);
/*
 * One more. REASON_ALLOWED; or the row's reason, counted, if there are as many as may be
 * (where one's own oldest gives way: let it go first, with quota_give_way()); or
 * REASON_OUT_OF_MEMORY. What was taken is given back with quota_give().
 */
enum reason quota_take(struct quotas *quotas, enum quota row,
                       struct quota_holder holder) MUST_CHECK;
/* The same where the surface's limits say how many. */
enum reason quota_take_within(struct quotas *quotas, enum quota row, struct quota_holder holder,
                              unsigned limit) MUST_CHECK;
/* What is not taken one by one but weighed: it was `before` and is `now`, and there may be too
 * much.
 */
void quota_weigh(struct quotas *quotas, enum quota row, struct quota_holder holder, size_t before,
                 size_t now);
void quota_give(struct quotas *quotas, enum quota row, struct quota_holder holder);
/* The same for one that had to go, counted. */
void quota_give_way(struct quotas *quotas, enum quota row, struct quota_holder holder);

/*
 * What one holder has of one row, found once by whoever takes and gives with every message:
 * then to take is to compare and to add. All zero is nobody's, where everything is allowed.
 */
struct quota_account {
    struct quotas *quotas; /* borrowed */
    struct held *held;     /* stays there until the account is closed */
};

enum error quota_account_open(struct quotas *quotas, enum quota row, struct quota_holder holder,
                              struct quota_account *out) MUST_CHECK;
/* What was taken through it has been given back. */
void quota_account_close(struct quota_account *account);
/* As quota_take() and quota_give(). */
enum reason quota_account_take(const struct quota_account *account) MUST_CHECK;
void quota_account_give(const struct quota_account *account);

/* A row that is so many a second: what a holder has spent of it. All zero is a full allowance. */
struct quota_rate {
    uint64_t spent_ms; /* the allowance, as the time that pays it back */
    uint64_t seen_ms;  /* when that was last reckoned */
};

/* One more at a monotonic time; false if there is no allowance left. */
bool quota_spend(struct quota_rate *rate, enum quota row, uint64_t now_ms);
/* Whether everything that was spent has been paid back. */
bool quota_rested(const struct quota_rate *rate, uint64_t now_ms);
