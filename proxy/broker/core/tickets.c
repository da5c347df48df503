#include "broker/core/tickets.h"

#include <string.h>

#define TICKET_BYTES 16

void tickets_init(struct tickets *tickets, struct quotas *quotas, enum quota row)
{
    *tickets = (struct tickets){.quotas = quotas, .row = row};
}

static struct quota_holder holder_of(const struct ticket *slot)
{
    return quota_session(slot->surface, slot->session_id);
}

static void empty(struct tickets *tickets, struct ticket *slot)
{
    quota_give(tickets->quotas, tickets->row, holder_of(slot));
    secret_wipe(slot, sizeof(*slot));
}

static void expire(struct tickets *tickets, int64_t now)
{
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *slot = &tickets->slots[i];

        if (slot->expires_at != 0 && slot->expires_at <= now)
            empty(tickets, slot);
    }
}

/* Takes a session's oldest away; it has one. */
static struct ticket *give_way(struct tickets *tickets, uint32_t surface, const char *session_id)
{
    struct ticket *oldest = NULL;

    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *slot = &tickets->slots[i];

        if (slot->expires_at != 0 && slot->surface == surface &&
            strcmp(slot->session_id, session_id) == 0 &&
            (oldest == NULL || slot->number < oldest->number))
            oldest = slot;
    }
    quota_give_way(tickets->quotas, tickets->row, holder_of(oldest));
    secret_wipe(oldest, sizeof(*oldest));
    return oldest;
}

/* Some ticket of whoever has the most and more than so many; NULL if nobody has. */
static const struct ticket *richest(const struct tickets *tickets, unsigned most)
{
    const struct ticket *found = NULL;

    for (size_t i = 0; i < TICKETS_MAX; i++) {
        unsigned held = quota_held(tickets->quotas, tickets->row, holder_of(&tickets->slots[i]));

        if (held > most) {
            found = &tickets->slots[i];
            most = held;
        }
    }
    return found;
}

/* A slot that is free, or made free at the expense of this session or a richer one. */
static struct ticket *find_slot(struct tickets *tickets, uint32_t surface, const char *session_id)
{
    unsigned own = quota_held(tickets->quotas, tickets->row, quota_session(surface, session_id));
    const struct ticket *rich;

    if (quota_is_full(tickets->quotas, tickets->row, quota_session(surface, session_id)))
        return give_way(tickets, surface, session_id);
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        if (tickets->slots[i].expires_at == 0)
            return &tickets->slots[i];
    }
    rich = richest(tickets, own + 1);
    if (rich != NULL)
        return give_way(tickets, rich->surface, rich->session_id);
    return own > 0 ? give_way(tickets, surface, session_id) : NULL;
}

enum error tickets_issue(struct tickets *tickets, uint32_t surface, const char *session_id,
                         int64_t now, char out[TICKET_SIZE])
{
    size_t id_length = strlen(session_id);
    unsigned char bytes[TICKET_BYTES];
    char text[4 * ((TICKET_BYTES + 2) / 3) + 1];
    struct ticket *slot;
    enum error error;

    if (id_length >= TOKEN_ID_SIZE)
        return ERROR_LIMIT;
    error = secret_random(bytes, sizeof(bytes));
    if (error != OK)
        return error;
    expire(tickets, now);
    slot = find_slot(tickets, surface, session_id);
    if (slot == NULL || !reason_allows(quota_take(tickets->quotas, tickets->row,
                                                  quota_session(surface, session_id))))
        return ERROR_LIMIT;
    text_base64url(bytes, sizeof(bytes), text);
    memcpy(out, text, TICKET_SIZE);
    secret_sha256(out, TICKET_SIZE - 1, slot->digest);
    memcpy(slot->session_id, session_id, id_length + 1);
    slot->surface = surface;
    slot->expires_at = now + TICKET_LIFETIME_S;
    slot->number = ++tickets->issued;
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
        empty(tickets, slot);
        return true;
    }
    return false;
}
