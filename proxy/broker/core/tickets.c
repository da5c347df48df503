#include "broker/core/tickets.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define TICKETS_MAX  1024 /* outstanding at a time */
#define TICKET_BYTES 16

/* A slot is free when expires_at is 0. */
struct ticket {
    unsigned char digest[SHA256_BYTES]; /* not the ticket itself: nothing to steal here */
    char session_id[TOKEN_ID_SIZE];
    int64_t expires_at;
};

struct tickets {
    struct ticket slots[TICKETS_MAX];
};

enum error tickets_create(struct tickets **out)
{
    struct tickets *tickets = calloc(1, sizeof(*tickets));

    if (tickets == NULL)
        return ERROR_MEMORY;
    *out = tickets;
    return OK;
}

void tickets_destroy(struct tickets *tickets)
{
    if (tickets == NULL)
        return;
    secret_wipe(tickets, sizeof(*tickets));
    free(tickets);
}

static struct ticket *free_slot(struct tickets *tickets, int64_t now)
{
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        if (tickets->slots[i].expires_at <= now)
            return &tickets->slots[i];
    }
    return NULL;
}

enum error tickets_issue(struct tickets *tickets, const char *session_id, int64_t now,
                         char out[TICKET_SIZE])
{
    struct ticket *slot = free_slot(tickets, now);
    size_t id_length = strlen(session_id);
    unsigned char bytes[TICKET_BYTES];
    char text[4 * ((TICKET_BYTES + 2) / 3) + 1];
    enum error error;

    if (slot == NULL || id_length >= TOKEN_ID_SIZE)
        return ERROR_LIMIT;
    error = secret_random(bytes, sizeof(bytes));
    if (error != OK)
        return error;
    text_base64url(bytes, sizeof(bytes), text);
    memcpy(out, text, TICKET_SIZE);
    secret_sha256(out, TICKET_SIZE - 1, slot->digest);
    memcpy(slot->session_id, session_id, id_length + 1);
    slot->expires_at = now + TICKET_LIFETIME_S;
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(text, sizeof(text));
    return OK;
}

bool tickets_redeem(struct tickets *tickets, struct span ticket, int64_t now,
                    char session_id[TOKEN_ID_SIZE])
{
    unsigned char digest[SHA256_BYTES];

    if (ticket.data == NULL || ticket.length != TICKET_SIZE - 1)
        return false;
    secret_sha256(ticket.data, ticket.length, digest);
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *slot = &tickets->slots[i];

        if (slot->expires_at <= now || !secret_equal(slot->digest, digest, sizeof(digest)))
            continue;
        memcpy(session_id, slot->session_id, TOKEN_ID_SIZE);
        secret_wipe(slot, sizeof(*slot));
        return true;
    }
    return false;
}
