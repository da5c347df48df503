#include "vet/outstanding.h"

#include "dialect/dialect.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 2 /* kept while idle: 32 bytes */

struct outstanding_entry {
    uint16_t id_length;
    uint8_t verb_length;
    bool adrift : 1, answered : 1;
    uint16_t session_length;
    uint16_t repeated; /* so many answers more */
    char bytes[];      /* the id, the verb, the session */
};

struct outstanding_slot {
    uint32_t tag; /* a hash of the id, compared first */
    struct outstanding_entry *entry;
};

/* FNV-1a. Chosen ids may collide: then the few entries there can be are compared. */
static uint32_t tag_of(struct span id)
{
    uint32_t tag = 2166136261U;

    for (size_t i = 0; i < id.length; i++)
        tag = (tag ^ (unsigned char)id.data[i]) * 16777619U;
    return tag;
}

static void release(struct outstanding *outstanding)
{
    free(outstanding->slots);
    *outstanding = (struct outstanding){.account = outstanding->account};
}

void outstanding_clear(struct outstanding *outstanding)
{
    while (outstanding->count > 0)
        outstanding_remove(outstanding, outstanding->count - 1);
    release(outstanding);
}

static bool grow(struct outstanding *outstanding)
{
    size_t capacity =
        outstanding->capacity > 0 ? (size_t)outstanding->capacity * 2 : (size_t)CAPACITY_MIN;
    struct outstanding_slot *slots = realloc(outstanding->slots, capacity * sizeof(*slots));

    if (slots == NULL)
        return false;
    outstanding->slots = slots;
    outstanding->capacity = (uint16_t)capacity;
    return true;
}

int outstanding_find(const struct outstanding *outstanding, struct span id)
{
    uint32_t tag = tag_of(id);

    for (int i = 0; i < outstanding->count; i++) {
        const struct outstanding_entry *entry;

        if (outstanding->slots[i].tag != tag)
            continue;
        entry = outstanding->slots[i].entry;
        if (entry->id_length == id.length && memcmp(entry->bytes, id.data, id.length) == 0)
            return i;
    }
    return -1;
}

static void copy(char *out, struct span span)
{
    if (span.length > 0)
        memcpy(out, span.data, span.length);
}

static struct outstanding_entry *entry_of(const struct outstanding_request *of)
{
    struct span id = of->id, verb = of->verb, session = of->session;
    struct outstanding_entry *entry;

    if (verb.length > DIALECT_VERB_BYTES_MAX)
        verb.length = DIALECT_VERB_BYTES_MAX;
    if (session.length > OUTSTANDING_SESSION_BYTES_MAX)
        session.length = 0;
    entry = malloc(sizeof(*entry) + id.length + verb.length + session.length);
    if (entry == NULL)
        return NULL;
    entry->id_length = (uint16_t)id.length;
    entry->verb_length = (uint8_t)verb.length;
    entry->session_length = (uint16_t)session.length;
    entry->adrift = of->adrift;
    entry->answered = of->answered;
    entry->repeated = 0;
    copy(entry->bytes, id);
    copy(entry->bytes + id.length, verb);
    copy(entry->bytes + id.length + verb.length, session);
    return entry;
}

static enum reason take(const struct quota_account *account)
{
    return account != NULL ? quota_account_take(account) : REASON_ALLOWED;
}

static void give(const struct quota_account *account)
{
    if (account != NULL)
        quota_account_give(account);
}

enum reason outstanding_add(struct outstanding *outstanding, const struct outstanding_request *of)
{
    struct outstanding_entry *entry;
    enum reason reason;

    if (outstanding_find(outstanding, of->id) >= 0)
        return REASON_REQUEST_ID_REUSED;
    if (outstanding->count == VET_OUTSTANDING_MAX)
        return REASON_OUTSTANDING_LIMIT;
    if (outstanding->count == outstanding->capacity && !grow(outstanding))
        return REASON_INTERNAL;
    reason = take(outstanding->account);
    if (!reason_allows(reason))
        return reason;
    entry = entry_of(of);
    if (entry == NULL) {
        give(outstanding->account);
        return REASON_INTERNAL;
    }
    outstanding->slots[outstanding->count++] = (struct outstanding_slot){tag_of(of->id), entry};
    return REASON_ALLOWED;
}

struct outstanding_request outstanding_at(const struct outstanding *outstanding, int place)
{
    const struct outstanding_entry *entry = outstanding->slots[place].entry;
    const char *verb = entry->bytes + entry->id_length;
    const char *session = entry->session_length > 0 ? verb + entry->verb_length : NULL;

    return (struct outstanding_request){.id = {entry->bytes, entry->id_length},
                                        .verb = {verb, entry->verb_length},
                                        .session = {session, entry->session_length},
                                        .adrift = entry->adrift,
                                        .answered = entry->answered};
}

void outstanding_repeat(struct outstanding *outstanding, int place)
{
    struct outstanding_entry *entry = outstanding->slots[place].entry;

    if (entry->repeated < UINT16_MAX)
        entry->repeated++;
}

bool outstanding_take_one(struct outstanding *outstanding, int place)
{
    struct outstanding_entry *entry = outstanding->slots[place].entry;
    bool more = entry->repeated > 0;

    if (more)
        entry->repeated--;
    return more;
}

void outstanding_let_go(struct outstanding *outstanding, int place)
{
    outstanding->slots[place].entry->adrift = true;
}

void outstanding_note_answer(struct outstanding *outstanding, int place)
{
    if (place >= 0)
        outstanding->slots[place].entry->answered = true;
}

void outstanding_remove(struct outstanding *outstanding, int place)
{
    unsigned last = --outstanding->count;

    give(outstanding->account);
    free(outstanding->slots[place].entry);
    outstanding->slots[place] = outstanding->slots[last];
    if (outstanding->count == 0 && outstanding->capacity > CAPACITY_MIN)
        release(outstanding);
}
