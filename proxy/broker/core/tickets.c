#include "broker/core/tickets.h"

#include <string.h>

#define TICKET_BYTES 16

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
