#include "launch/relay/session.h"

#include "base/secret.h"
#include "launch/relay/answer.h"

#include <stdlib.h>
#include <string.h>

#define SOCKET_INTERNAL 1011 /* RFC 6455 section 7.4.1 */

static enum error give_id(struct session *session)
{
    unsigned char bytes[(SESSION_ID_SIZE - 1) / 2];

    if (session->kind != SESSION_LEGACY)
        return OK;
    if (secret_random(bytes, sizeof(bytes)) != OK)
        return ERROR_CRYPTO;
    text_hex(bytes, sizeof(bytes), session->id);
    return OK;
}

struct session *session_create(struct house *house, enum session_kind kind)
{
    const struct child_limits limits = {
        .max_line_bytes = house->max_answer_bytes,
        .max_wait_bytes = house->max_message_bytes + CHILD_ROOM_BYTES,
    };
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->house = house;
    session->kind = kind;
    session->number = ++house->numbers;
    session->used_ms = uv_now(house->loop);
    buffer_init(&session->backlog, SESSION_BACKLOG_BYTES);
    session->child = child_create(house->loop, &limits, &house->events, session);
    if (session->child == NULL || give_id(session) != OK) {
        child_destroy(session->child);
        free(session);
        return NULL;
    }
    session->next = house->sessions;
    house->sessions = session;
    house->start(house, session->number);
    return session;
}

struct session *session_find(const struct house *house, struct span id)
{
    for (struct session *session = house->sessions; session != NULL; session = session->next) {
        if (!session->ending && session->kind == SESSION_LEGACY && span_equals(id, session->id))
            return session;
    }
    return NULL;
}

struct session *session_modern(const struct house *house)
{
    for (struct session *session = house->sessions; session != NULL; session = session->next) {
        if (!session->ending && session->kind == SESSION_MODERN)
            return session;
    }
    return NULL;
}

struct session *session_of(const struct house *house, uint32_t number)
{
    struct session *session = house->sessions;

    while (session != NULL && session->number != number)
        session = session->next;
    return session;
}

/* ---- Who waits ---- */

void session_join(struct session *session, struct link *link, enum link_wait wait)
{
    link->session = session;
    link->wait = wait;
    link->since_ms = uv_now(session->house->loop);
    link->neighbour = session->links;
    session->links = link;
    session->used_ms = link->since_ms;
}

void session_part(struct session *session, struct link *link)
{
    struct link **at = &session->links;

    while (*at != NULL && *at != link)
        at = &(*at)->neighbour;
    if (*at != NULL)
        *at = link->neighbour;
    link->neighbour = NULL;
    link->session = NULL;
    session->used_ms = uv_now(session->house->loop);
}

struct link *session_listener(const struct session *session)
{
    struct link *link = session->links;

    while (link != NULL && link->wait != LINK_LISTENING)
        link = link->neighbour;
    return link;
}

enum error session_begin(struct session *session, int input, int output)
{
    session->began = true;
    session->began_ms = uv_now(session->house->loop);
    return child_begin(session->child, input, output);
}

enum error session_say(struct session *session, struct span message)
{
    session->used_ms = uv_now(session->house->loop);
    return child_say(session->child, message);
}

/* ---- The end ---- */

static void close_socket(struct link *link, const char *text)
{
    unsigned char header[WS_HEADER_MAX], payload[WS_CONTROL_PAYLOAD_MAX];
    size_t length = ws_close_write(payload, SOCKET_INTERNAL, text, strlen(text));

    buffer_append(&link->out, header, ws_header_write(header, WS_CLOSE, length, NULL));
    buffer_append(&link->out, payload, length);
    link->wait = LINK_OVER;
    link_send(link);
}

/* What it waited for does not come any more. */
static void dismiss(struct link *link, const char *text, enum reason reason)
{
    const struct reason_info *info = reason_info(reason);

    switch (link->wait) {
    case LINK_SOCKET:
        close_socket(link, text);
        return;
    case LINK_LISTENING:
        answer_end(link);
        break;
    case LINK_DELETING:
        answer_status(link, 200, "");
        break;
    default:
        answer_error(link, info->http_status, RPC_LOST, text, info->code);
        break;
    }
    link_rest(link);
}

/* With those that wait for the very end, or without. */
static void dismiss_all(struct session *session, bool deleting, const char *text,
                        enum reason reason)
{
    struct link *link = session->links, *next;

    for (; link != NULL; link = next) {
        next = link->neighbour;
        if (link->wait == LINK_DELETING && !deleting)
            continue;
        session_part(session, link);
        dismiss(link, text, reason);
    }
}

void session_end(struct session *session, const char *text, enum reason reason)
{
    if (!session->ending) {
        session->ending = true;
        session->ending_ms = uv_now(session->house->loop);
        child_pause(session->child, false);
        child_finish(session->child);
    }
    dismiss_all(session, false, text, reason);
}

void session_gone(struct session *session)
{
    struct session **at = &session->house->sessions;

    dismiss_all(session, true, "its process has ended", REASON_SERVICE_DOWN);
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    child_destroy(session->child);
    buffer_wipe(&session->backlog);
    free(session);
}

void session_tick(struct session *session, uint64_t now_ms)
{
    const struct house *house = session->house;

    if (!session->ending && session->links == NULL && house->idle_ms > 0 &&
        now_ms - session->used_ms >= house->idle_ms)
        session_end(session, "nobody has said anything for long", REASON_IDLE_TIMEOUT);
    if (session->ending && !session->stopped && now_ms - session->ending_ms >= SESSION_GRACE_MS) {
        session->stopped = true;
        house->stop(session->house, session->number);
    }
}
