#include "worker/mcp/mcp_sessions.h"

#include <stdlib.h>
#include <string.h>

static void destroy(struct mcp_session *session)
{
    vet_state_destroy(session->vet);
    free(session->id);
    free(session);
}

struct mcp_session *mcp_sessions_find(struct mcp_sessions *sessions,
                                      const struct mcp_session_key *key)
{
    for (struct mcp_session **at = &sessions->first; *at != NULL; at = &(*at)->next) {
        struct mcp_session *session = *at;

        if (session->surface != key->surface || !span_equals(key->id, session->id) ||
            strcmp(session->session_id, key->session_id) != 0)
            continue;
        *at = session->next;
        session->next = sessions->first;
        sessions->first = session;
        session->users++;
        return session;
    }
    return NULL;
}

struct mcp_session *mcp_sessions_hold(struct mcp_sessions *sessions, struct mcp_session *session,
                                      const char *session_id)
{
    const struct mcp_session_key key = {session->surface, session_id, span_of(session->id)};

    return session->ended ? NULL : mcp_sessions_find(sessions, &key);
}

void mcp_sessions_release(struct mcp_session *session)
{
    if (session != NULL && --session->users == 0 && session->ended)
        destroy(session);
}

static struct quota_holder holder_of(const struct mcp_session *session)
{
    return quota_session(session->surface, session->session_id);
}

void mcp_sessions_end(struct mcp_sessions *sessions, struct mcp_session *session)
{
    struct mcp_session **at = &sessions->first;

    if (session->ended)
        return;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    sessions->count--;
    quota_give(sessions->quotas, QUOTA_MCP_SESSIONS, holder_of(session));
    session->ended = true;
    if (session->users == 0)
        destroy(session);
}

void mcp_sessions_end_all(struct mcp_sessions *sessions, const char *session_id)
{
    struct mcp_session *next;

    for (struct mcp_session *session = sessions->first; session != NULL; session = next) {
        next = session->next;
        if (session_id == NULL || strcmp(session->session_id, session_id) == 0)
            mcp_sessions_end(sessions, session);
    }
}

/*
 * Who could give way, the longest unused of those who have the most: more than `most`, or it is
 * somebody's own. NULL: nobody.
 */
static struct mcp_session *find_idle(const struct mcp_sessions *sessions, unsigned most,
                                     const struct mcp_session_key *own)
{
    struct mcp_session *found = NULL;

    for (struct mcp_session *session = sessions->first; session != NULL; session = session->next) {
        unsigned held;

        if (session->users > 0)
            continue;
        if (own != NULL &&
            (session->surface != own->surface || strcmp(session->session_id, own->session_id) != 0))
            continue;
        held = quota_held(sessions->quotas, QUOTA_MCP_SESSIONS, holder_of(session));
        if (held < most)
            continue;
        found = session;
        most = held;
    }
    return found;
}

/* Makes room at the expense of this gate's session itself, or of one that has more. */
static enum error make_room(struct mcp_sessions *sessions, const struct mcp_session_key *key)
{
    struct quota_holder holder = quota_session(key->surface, key->session_id);
    unsigned own = quota_held(sessions->quotas, QUOTA_MCP_SESSIONS, holder);
    bool full = quota_is_full(sessions->quotas, QUOTA_MCP_SESSIONS, holder);
    struct mcp_session *session = NULL;

    if (!full && sessions->count < MCP_SESSIONS_MAX)
        return OK;
    if (!full)
        session = find_idle(sessions, own + 2, NULL);
    if (session == NULL)
        session = find_idle(sessions, 0, key);
    if (session == NULL)
        return full ? ERROR_DENIED : ERROR_LIMIT;
    quotas_counts(sessions->quotas, session->surface)->gave_way[QUOTA_MCP_SESSIONS]++;
    mcp_sessions_end(sessions, session);
    return OK;
}

/* An id counts once on a surface, whoever it was given to. */
static bool is_taken(const struct mcp_sessions *sessions, const struct mcp_session_key *key)
{
    for (const struct mcp_session *session = sessions->first; session != NULL;
         session = session->next) {
        if (session->surface == key->surface && span_equals(key->id, session->id))
            return true;
    }
    return false;
}

enum error mcp_sessions_open(struct mcp_sessions *sessions, const struct mcp_session_key *key,
                             struct vet_state *vet, struct mcp_session **out)
{
    struct quota_holder holder = quota_session(key->surface, key->session_id);
    struct mcp_session *session;
    size_t length = strlen(key->session_id);
    enum error error;

    if (is_taken(sessions, key))
        return ERROR_EXISTS;
    if (key->id.length == 0 || key->id.length > MCP_SESSION_ID_BYTES_MAX ||
        length >= sizeof(session->session_id))
        return ERROR_LIMIT;
    error = make_room(sessions, key);
    if (error != OK)
        return error;
    session = calloc(1, sizeof(*session));
    if (session == NULL || (session->id = text_copy(key->id)) == NULL ||
        !reason_allows(quota_take(sessions->quotas, QUOTA_MCP_SESSIONS, holder))) {
        if (session != NULL)
            free(session->id);
        free(session);
        return ERROR_MEMORY;
    }
    memcpy(session->session_id, key->session_id, length + 1);
    session->surface = key->surface;
    session->vet = vet;
    session->users = 1;
    session->next = sessions->first;
    sessions->first = session;
    sessions->count++;
    *out = session;
    return OK;
}
