#include "broker/core/lines.h"

#include <stdio.h>
#include <string.h>

#define LINE_MS      (1000 / LINES_PER_SECOND)
#define ALLOWANCE_MS ((uint64_t)LINES_BURST * LINE_MS)
#define PROBES       8

struct lines_client lines_client(const char *session, bool uid_known, uint32_t uid)
{
    struct lines_client client = {.uid = uid_known ? uid : UINT32_MAX};

    if (session != NULL && session[0] != '\0') {
        client.uid = UINT32_MAX;
        memcpy(client.session, session, strnlen(session, sizeof(client.session) - 1));
    }
    return client;
}

/* A leaky bucket in units of time: each line costs LINE_MS, and time pays it back. */
static void reckon(struct lines_place *place, uint64_t now_ms)
{
    uint64_t passed = now_ms - place->seen_ms;

    place->spent_ms = passed < place->spent_ms ? place->spent_ms - passed : 0;
    place->seen_ms = now_ms;
}

static bool is_for(const struct lines_place *place, const char *event,
                   const struct lines_client *client)
{
    return place->event != NULL && place->client.uid == client->uid &&
           strcmp(place->event, event) == 0 && strcmp(place->client.session, client->session) == 0;
}

/* Whether nothing is lost by giving it to another: its allowance is full, and all was told. */
static bool is_free(struct lines_place *place, uint64_t now_ms)
{
    reckon(place, now_ms);
    return place->event == NULL || (place->spent_ms == 0 && place->suppressed == 0);
}

/* FNV-1a. Whoever finds sessions that meet in one place gains nothing: they share the last. */
static size_t hash(const char *event, const struct lines_client *client)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325) ^ client->uid;

    for (const char *at = event; *at != '\0'; at++)
        value = (value ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    for (const char *at = client->session; *at != '\0'; at++)
        value = (value ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return (size_t)(value ^ value >> 32);
}

/* The client's own place, or a free one, or the one after them all, which is everybody's. */
static struct lines_place *find(struct lines *lines, const char *event,
                                const struct lines_client *client, uint64_t now_ms)
{
    bool session = client->session[0] != '\0';
    struct lines_place *places = session ? lines->sessions : lines->strangers, *found = NULL;
    size_t count = session ? LINES_SESSIONS_MAX : LINES_STRANGERS_MAX;
    size_t start = hash(event, client);

    for (size_t i = 0; i < PROBES; i++) {
        struct lines_place *place = &places[(start + i) % count];

        if (is_for(place, event, client))
            return place;
        if (found == NULL && is_free(place, now_ms))
            found = place;
    }
    if (found == NULL)
        return &places[count];
    *found = (struct lines_place){.event = event, .client = *client, .seen_ms = now_ms};
    return found;
}

/* Whether there was something to tell. The shared places tell of no client, and of events together.
 */
static bool tell(struct lines_place *place, struct audit *audit)
{
    char event[64];

    if (place->suppressed == 0 || audit_failing(audit))
        return false;
    snprintf(event, sizeof(event), "%s_suppressed", place->event != NULL ? place->event : "others");
    audit_begin(audit, event);
    audit_number(audit, "count", (int64_t)place->suppressed);
    if (place->client.session[0] != '\0')
        audit_text(audit, "session", place->client.session);
    else if (place->event != NULL && place->client.uid != UINT32_MAX)
        audit_number(audit, "uid", place->client.uid);
    if (audit_commit(audit) == OK)
        place->suppressed = 0;
    return true;
}

bool lines_may(struct lines *lines, struct audit *audit, const char *event,
               const struct lines_client *client, uint64_t now_ms)
{
    struct lines_place *place = find(lines, event, client, now_ms);

    reckon(place, now_ms);
    if (place->spent_ms + LINE_MS > ALLOWANCE_MS) {
        lines_suppress(lines, event, client, 1, now_ms);
        return false;
    }
    place->spent_ms += LINE_MS;
    (void)tell(place, audit);
    return true;
}

void lines_suppress(struct lines *lines, const char *event, const struct lines_client *client,
                    uint64_t count, uint64_t now_ms)
{
    lines->suppressed += count;
    if (count > 0)
        find(lines, event, client, now_ms)->suppressed += count;
}

void lines_tell(struct lines *lines, struct audit *audit, unsigned most)
{
    for (size_t i = 0; i < LINES_PLACES && most > 0; i++) {
        size_t at = lines->looked++ % LINES_PLACES;
        struct lines_place *place = at <= LINES_SESSIONS_MAX
                                        ? &lines->sessions[at]
                                        : &lines->strangers[at - LINES_SESSIONS_MAX - 1];

        if (tell(place, audit))
            most--;
    }
}
