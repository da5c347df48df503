/*
 * How many lines of the audit log one client can cause: of each event a burst, then so many a
 * second. Beyond that they are counted, and a line "EVENT_suppressed" says how many there would
 * have been. Counters and answers are not affected.
 *
 * A client is a session, or for those without one a user; when there are more than have a place
 * of their own, the rest share one.
 */
#pragma once

#include "policy/token.h"
#include "system/audit.h"

#define LINES_BURST         1000 /* of one event and client, at once */
#define LINES_PER_SECOND    50   /* in the long run */
#define LINES_SESSIONS_MAX  512  /* places for an event and a session */
#define LINES_STRANGERS_MAX 64   /* for an event and a user without one */
#define LINES_PLACES        (LINES_SESSIONS_MAX + 1 + LINES_STRANGERS_MAX + 1)

struct lines_client {
    char session[TOKEN_ID_SIZE]; /* "": none, or none that is known to be real */
    uint32_t uid;                /* UINT32_MAX: unknown */
};

/* The session if there is one (not "", not NULL), else the user. */
struct lines_client lines_client(const char *session, bool uid_known, uint32_t uid);

struct lines_place {
    const char *event; /* static; NULL: free */
    struct lines_client client;
    uint64_t spent_ms;   /* milliseconds of allowance in use */
    uint64_t seen_ms;    /* when that was last reckoned */
    uint64_t suppressed; /* not written since the last line about them */
};

/* All zero is a full allowance for everybody. */
struct lines {
    struct lines_place sessions[LINES_SESSIONS_MAX + 1], strangers[LINES_STRANGERS_MAX + 1];
    size_t looked;       /* at so many places, round and round */
    uint64_t suppressed; /* since start */
};

/*
 * Whether an event of a client may have a line now, at a monotonic time; counts it if not. After
 * a flood, the line that says how many had none comes first. `event` is static.
 */
bool lines_may(struct lines *lines, struct audit *audit, const char *event,
               const struct lines_client *client, uint64_t now_ms);
/* Counts so many that have no line. */
void lines_suppress(struct lines *lines, const char *event, const struct lines_client *client,
                    uint64_t count, uint64_t now_ms);
/*
 * Writes how many had no line of their own, of each event and client: at most so many lines, those
 * first that waited longest to be looked at.
 */
void lines_tell(struct lines *lines, struct audit *audit, unsigned most);
