#include "store/recent.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static size_t place_of(const char *id)
{
    return hash_text(0, id) % RECENT_SESSIONS_MAX;
}

void recent_clear(struct recent *recent)
{
    for (size_t i = 0; recent->count > 0 && i < RECENT_SESSIONS_MAX; i++) {
        recent->count -= recent->places[i] != NULL;
        free(recent->places[i]);
        recent->places[i] = NULL;
    }
}

void recent_change_begins(struct recent *recent)
{
    recent->changes++;
    recent_clear(recent);
}

void recent_change_ends(struct recent *recent)
{
    recent->changes--;
}

void recent_add(struct recent *recent, const struct session *session)
{
    struct session **place = &recent->places[place_of(session->id)];

    if (recent->changes > 0 || session->verbs_set || session->targets_set)
        return;
    if (*place == NULL) {
        *place = malloc(sizeof(**place));
        if (*place == NULL)
            return;
        recent->count++;
    }
    **place = *session;
}

const struct session *recent_find(const struct recent *recent, const char *id)
{
    const struct session *session = recent->places[place_of(id)];

    return session != NULL && strcmp(session->id, id) == 0 ? session : NULL;
}
