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

void mcp_sessions_end(struct mcp_sessions *sessions, struct mcp_session *session)
{
    struct mcp_session **at = &sessions->first;

    if (session->ended)
        return;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    sessions->count--;
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
 * Makes room at the expense of the one that was used longest ago and is not in
 * use: of this gate's session, if there is one, so that nobody fills the table
 * with theirs.
 */
static bool make_room(struct mcp_sessions *sessions, const char *session_id)
{
    struct mcp_session *oldest = NULL, *own = NULL;

    if (sessions->count < MCP_SESSIONS_MAX)
        return true;
    for (struct mcp_session *session = sessions->first; session != NULL; session = session->next) {
        if (session->users > 0)
            continue;
        oldest = session;
        if (strcmp(session->session_id, session_id) == 0)
            own = session;
    }
    if (oldest == NULL)
        return false;
    mcp_sessions_end(sessions, own != NULL ? own : oldest);
    return true;
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
    struct mcp_session *session;
    size_t length = strlen(key->session_id);

    if (is_taken(sessions, key))
        return ERROR_EXISTS;
    if (key->id.length == 0 || key->id.length > MCP_SESSION_ID_BYTES_MAX ||
        length >= sizeof(session->session_id) || !make_room(sessions, key->session_id))
        return ERROR_LIMIT;
    session = calloc(1, sizeof(*session));
    if (session == NULL || (session->id = text_copy(key->id)) == NULL) {
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
