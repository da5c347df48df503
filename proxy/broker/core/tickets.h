/*
 * Single-use words for a session, in memory only; a restart forgets them.
 * Tickets and login codes are both such words, kept apart.
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "policy/token.h"

#define TICKET_SIZE       23 /* 128 random bits, base64url, with NUL */
#define TICKET_LIFETIME_S 60

#define TICKETS_MAX 1024 /* outstanding at a time */

/* All zero is empty; for the owner to wipe at the end. */
struct tickets {
    /* A slot is free when expires_at is 0. */
    struct ticket {
        unsigned char digest[SHA256_BYTES]; /* not the ticket itself: nothing to steal here */
        char session_id[TOKEN_ID_SIZE];
        int64_t expires_at;
    } slots[TICKETS_MAX];
};

enum error tickets_issue(struct tickets *tickets, const char *session_id, int64_t now,
                         char out[TICKET_SIZE]) MUST_CHECK;
/* Uses a ticket up: at most once true. */
bool tickets_redeem(struct tickets *tickets, struct span ticket, int64_t now,
                    char session_id[TOKEN_ID_SIZE]);
