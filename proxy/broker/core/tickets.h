/*
 * Single-use words for a session, in memory only; a restart forgets them.
 * Tickets and login codes are both such words, kept apart.
 *
 * A session that asks for more than its quota loses its own oldest. Where all are taken, whoever
 * has the most loses one, so that nobody's are pushed out by those who have more.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "policy/token.h"
#include "policy/yield.h"

#define TICKET_SIZE       23 /* 128 random bits, base64url, with NUL */
#define TICKET_LIFETIME_S 60

#define TICKETS_MAX 1024 /* outstanding at a time */

struct ticket {
    struct hash_entry by_digest;
    struct yield_item yield;            /* which of its session's gives way */
    struct ticket *newer, *older;       /* of all; of those that are free, `older` is the next */
    unsigned char digest[SHA256_BYTES]; /* not the ticket itself: nothing to steal here */
    char session_id[TOKEN_ID_SIZE];
    uint32_t surface;
    int64_t expires_at; /* 0: it is free */
};

struct tickets {
    struct quotas *quotas; /* borrowed */
    enum quota row;        /* of which they are */
    struct hash_table by_digest;
    struct yields yields;
    struct ticket *oldest, *newest; /* all live equally long */
    struct ticket *free;
    struct ticket slots[TICKETS_MAX];
};

void tickets_init(struct tickets *tickets, struct quotas *quotas, enum quota row);
/* Wipes all. */
void tickets_clear(struct tickets *tickets);
/* ERROR_LIMIT: all are taken, by those who have hardly more than this session. */
enum error tickets_issue(struct tickets *tickets, uint32_t surface, const char *session_id,
                         int64_t now, char out[TICKET_SIZE]) MUST_CHECK;
/* Of a surface that is no more: all are gone. */
void tickets_forget(struct tickets *tickets, uint32_t surface);
/* Uses a ticket up: at most once true. */
bool tickets_redeem(struct tickets *tickets, struct span ticket, int64_t now,
                    char session_id[TOKEN_ID_SIZE]);
