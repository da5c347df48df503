#include "worker/mcp/mcp_sessions.h"

#include <stdlib.h>
#include <string.h>

static void destroy(struct mcp_session *session)
{
    vet_state_destroy(session->vet);
    free(session->id);
    free(session);
}

static uint64_t id_hash(uint32_t surface, struct span id)
{
    return hash_bytes(surface, id.data, id.length);
}

/* An id counts once on a surface, whoever it was given to. */
static struct mcp_session *with_id(const struct mcp_sessions *sessions,
                                   const struct mcp_session_key *key)
{
    struct hash_entry *entry = hash_first(&sessions->by_id, id_hash(key->surface, key->id));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct mcp_session *session = HASH_OWNER(entry, struct mcp_session, by_id);

        if (session->surface == key->surface && span_equals(key->id, session->id))
            return session;
    }
    return NULL;
}

struct mcp_session *mcp_sessions_find(struct mcp_sessions *sessions,
                                      const struct mcp_session_key *key)
{
    struct mcp_session *session = with_id(sessions, key);

    if (session == NULL || strcmp(session->session_id, key->session_id) != 0)
        return NULL;
    session->users++;
    yield_keep(&sessions->yields, &session->yield, true);
    return session;
}

struct mcp_session *mcp_sessions_hold(struct mcp_sessions *sessions, struct mcp_session *session,
                                      const char *session_id)
{
    const struct mcp_session_key key = {session->surface, session_id, span_of(session->id)};

    return session->ended ? NULL : mcp_sessions_find(sessions, &key);
}

void mcp_sessions_make_way(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                           int64_t now_s)
{
    struct mcp_session *session = with_id(sessions, key);

    if (session != NULL && (strcmp(session->session_id, key->session_id) == 0 ||
                            (session->expires_at != 0 && session->expires_at <= now_s)))
        mcp_sessions_end(sessions, session);
}

void mcp_sessions_release(struct mcp_session *session)
{
    if (session == NULL || --session->users > 0)
        return;
    if (session->ended)
        destroy(session);
    else
        yield_keep(&session->all->yields, &session->yield, false);
}

void mcp_sessions_end(struct mcp_sessions *sessions, struct mcp_session *session)
{
    if (session->ended)
        return;
    hash_remove(&sessions->by_id, &session->by_id);
    hash_remove(&sessions->by_owner, &session->by_owner);
    yield_remove(&sessions->yields, &session->yield);
    quota_give(sessions->quotas, QUOTA_MCP_SESSIONS,
               quota_session(session->surface, session->session_id));
    session->ended = true;
    if (session->users == 0)
        destroy(session);
}

static void end_every(struct mcp_sessions *sessions)
{
    struct hash_entry *entry;
    size_t bucket = 0;

    while ((entry = hash_any(&sessions->by_owner, &bucket)) != NULL)
        mcp_sessions_end(sessions, HASH_OWNER(entry, struct mcp_session, by_owner));
    hash_clear(&sessions->by_id);
    hash_clear(&sessions->by_owner);
    yields_clear(&sessions->yields);
}

void mcp_sessions_end_surface(struct mcp_sessions *sessions, uint32_t surface)
{
    struct hash_entry *entry, *next;

    for (size_t bucket = 0; (entry = hash_any(&sessions->by_owner, &bucket)) != NULL; bucket++) {
        for (; entry != NULL; entry = next) {
            struct mcp_session *session = HASH_OWNER(entry, struct mcp_session, by_owner);

            next = entry->next;
            if (session->surface == surface)
                mcp_sessions_end(sessions, session);
        }
    }
}

void mcp_sessions_end_all(struct mcp_sessions *sessions, const char *session_id)
{
    struct hash_entry *entry, *next;

    if (session_id == NULL) {
        end_every(sessions);
        return;
    }
    for (entry = hash_first(&sessions->by_owner, hash_text(0, session_id)); entry != NULL;
         entry = next) {
        struct mcp_session *session = HASH_OWNER(entry, struct mcp_session, by_owner);

        next = hash_next(entry);
        if (strcmp(session->session_id, session_id) == 0)
            mcp_sessions_end(sessions, session);
    }
}

/* Makes room at the expense of this gate's session itself, or of one that has more. */
static enum error make_room(struct mcp_sessions *sessions, const struct quota_holder *holder)
{
    unsigned own = quota_held(sessions->quotas, QUOTA_MCP_SESSIONS, *holder);
    bool full = quota_is_full(sessions->quotas, QUOTA_MCP_SESSIONS, *holder);
    struct yield_item *item = NULL;
    struct mcp_session *session;

    if (!full && sessions->by_id.count < MCP_SESSIONS_MAX)
        return OK;
    if (!full)
        item = yield_of_richest(&sessions->yields, own + 2);
    if (item == NULL)
        item = yield_oldest_of(&sessions->yields, holder);
    if (item == NULL)
        return full ? ERROR_DENIED : ERROR_LIMIT;
    session = HASH_OWNER(item, struct mcp_session, yield);
    quotas_counts(sessions->quotas, session->surface)->gave_way[QUOTA_MCP_SESSIONS]++;
    mcp_sessions_end(sessions, session);
    return OK;
}

static struct mcp_session *create(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                                  const struct quota_holder *holder)
{
    struct mcp_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->id = text_copy(key->id);
    if (session->id == NULL || !yield_add(&sessions->yields, &session->yield, holder)) {
        free(session->id);
        free(session);
        return NULL;
    }
    return session;
}

enum error mcp_sessions_open(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                             struct vet_state *vet, struct mcp_session **out)
{
    struct quota_holder holder = quota_session(key->surface, key->session_id);
    struct mcp_session *session;
    size_t length = strlen(key->session_id);
    enum error error;

    if (with_id(sessions, key) != NULL)
        return ERROR_EXISTS;
    if (key->id.length == 0 || key->id.length > MCP_SESSION_ID_BYTES_MAX ||
        length >= sizeof(session->session_id))
        return ERROR_LIMIT;
    error = make_room(sessions, &holder);
    if (error != OK)
        return error;
    if (!reason_allows(quota_take(sessions->quotas, QUOTA_MCP_SESSIONS, holder)))
        return ERROR_MEMORY;
    session = create(sessions, key, &holder);
    if (session == NULL) {
        quota_give(sessions->quotas, QUOTA_MCP_SESSIONS, holder);
        return ERROR_MEMORY;
    }
    memcpy(session->session_id, key->session_id, length + 1);
    session->surface = key->surface;
    session->all = sessions;
    session->vet = vet;
    session->users = 1;
    yield_keep(&sessions->yields, &session->yield, true);
    hash_add(&sessions->by_id, &session->by_id, id_hash(key->surface, key->id));
    hash_add(&sessions->by_owner, &session->by_owner, hash_text(0, key->session_id));
    *out = session;
    return OK;
}
