#include "broker/core/tickets.h"

#include <string.h>

#define TICKET_BYTES 16

void tickets_init(struct tickets *tickets, struct quotas *quotas, enum quota row)
{
    *tickets = (struct tickets){.quotas = quotas, .row = row};
    for (size_t i = TICKETS_MAX; i > 0; i--) {
        tickets->slots[i - 1].older = tickets->free;
        tickets->free = &tickets->slots[i - 1];
    }
}

void tickets_clear(struct tickets *tickets)
{
    hash_clear(&tickets->by_digest);
    yields_clear(&tickets->yields);
    secret_wipe(tickets, sizeof(*tickets));
}

static struct quota_holder holder_of(const struct ticket *ticket)
{
    return quota_session(ticket->surface, ticket->session_id);
}

static uint64_t hash_of(const unsigned char digest[SHA256_BYTES])
{
    return hash_bytes(0, digest, SHA256_BYTES);
}

/* ---- All of them, by age ---- */

static void append(struct tickets *tickets, struct ticket *ticket)
{
    ticket->newer = NULL;
    ticket->older = tickets->newest;
    if (tickets->newest != NULL)
        tickets->newest->newer = ticket;
    else
        tickets->oldest = ticket;
    tickets->newest = ticket;
}

static void take_off(struct tickets *tickets, struct ticket *ticket)
{
    if (ticket->older != NULL)
        ticket->older->newer = ticket->newer;
    else
        tickets->oldest = ticket->newer;
    if (ticket->newer != NULL)
        ticket->newer->older = ticket->older;
    else
        tickets->newest = ticket->older;
}

/* ---- One ---- */

static void empty(struct tickets *tickets, struct ticket *ticket)
{
    hash_remove(&tickets->by_digest, &ticket->by_digest);
    yield_remove(&tickets->yields, &ticket->yield);
    take_off(tickets, ticket);
    secret_wipe(ticket, sizeof(*ticket));
    ticket->older = tickets->free;
    tickets->free = ticket;
}

static void give_back(struct tickets *tickets, struct ticket *ticket)
{
    quota_give(tickets->quotas, tickets->row, holder_of(ticket));
    empty(tickets, ticket);
}

static void expire(struct tickets *tickets, int64_t now)
{
    while (tickets->oldest != NULL && tickets->oldest->expires_at <= now)
        give_back(tickets, tickets->oldest);
}

/* At the expense of this session, or of a richer one. False: there is none. */
static bool make_room(struct tickets *tickets, const struct quota_holder *holder)
{
    bool full = quota_is_full(tickets->quotas, tickets->row, *holder);
    unsigned own = quota_held(tickets->quotas, tickets->row, *holder);
    struct yield_item *item = NULL;
    struct ticket *ticket;

    if (!full && tickets->free != NULL)
        return true;
    if (!full)
        item = yield_of_richest(&tickets->yields, own + 2);
    if (item == NULL)
        item = yield_oldest_of(&tickets->yields, holder);
    if (item == NULL)
        return false;
    ticket = HASH_OWNER(item, struct ticket, yield);
    quota_give_way(tickets->quotas, tickets->row, holder_of(ticket));
    empty(tickets, ticket);
    return true;
}

/* One of the session's; NULL if it can have none. */
static struct ticket *begin(struct tickets *tickets, const struct quota_holder *holder)
{
    struct ticket *ticket = tickets->free;

    if (!reason_allows(quota_take(tickets->quotas, tickets->row, *holder)))
        return NULL;
    if (!yield_add(&tickets->yields, &ticket->yield, holder)) {
        quota_give(tickets->quotas, tickets->row, *holder);
        return NULL;
    }
    tickets->free = ticket->older;
    append(tickets, ticket);
    return ticket;
}

enum error tickets_issue(struct tickets *tickets, uint32_t surface, const char *session_id,
                         int64_t now, char out[TICKET_SIZE])
{
    size_t id_length = strlen(session_id);
    unsigned char bytes[TICKET_BYTES];
    char text[4 * ((TICKET_BYTES + 2) / 3) + 1];
    struct quota_holder holder = quota_session(surface, session_id);
    struct ticket *ticket;
    enum error error;

    if (id_length >= TOKEN_ID_SIZE)
        return ERROR_LIMIT;
    error = secret_random(bytes, sizeof(bytes));
    if (error != OK)
        return error;
    expire(tickets, now);
    ticket = make_room(tickets, &holder) ? begin(tickets, &holder) : NULL;
    if (ticket == NULL)
        return ERROR_LIMIT;
    text_base64url(bytes, sizeof(bytes), text);
    memcpy(out, text, TICKET_SIZE);
    secret_sha256(out, TICKET_SIZE - 1, ticket->digest);
    hash_add(&tickets->by_digest, &ticket->by_digest, hash_of(ticket->digest));
    memcpy(ticket->session_id, session_id, id_length + 1);
    ticket->surface = surface;
    ticket->expires_at = now + TICKET_LIFETIME_S;
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(text, sizeof(text));
    return OK;
}

void tickets_forget(struct tickets *tickets, uint32_t surface)
{
    struct ticket *newer;

    for (struct ticket *ticket = tickets->oldest; ticket != NULL; ticket = newer) {
        newer = ticket->newer;
        if (ticket->surface == surface)
            give_back(tickets, ticket);
    }
}

bool tickets_redeem(struct tickets *tickets, struct span ticket, int64_t now,
                    char session_id[TOKEN_ID_SIZE])
{
    unsigned char digest[SHA256_BYTES];
    struct hash_entry *entry;

    if (ticket.data == NULL || ticket.length != TICKET_SIZE - 1)
        return false;
    secret_sha256(ticket.data, ticket.length, digest);
    for (entry = hash_first(&tickets->by_digest, hash_of(digest)); entry != NULL;
         entry = hash_next(entry)) {
        struct ticket *found = HASH_OWNER(entry, struct ticket, by_digest);

        if (found->expires_at <= now || !secret_equal(found->digest, digest, sizeof(digest)))
            continue;
        memcpy(session_id, found->session_id, TOKEN_ID_SIZE);
        give_back(tickets, found);
        return true;
    }
    return false;
}
