#include "connect/http/transfer.h"

#include <stdlib.h>

static void unlink_link(struct link *link)
{
    struct link **at = &link->owner->links;

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link->owner->link_count--;
}

static void drop(struct link *link)
{
    unlink_link(link);
    if (link->stream != NULL)
        stream_close(link->stream, false);
    free(link);
}

static void on_opened(void *context)
{
    struct link *link = context;

    link->opened = true;
    if (link->transfer != NULL)
        transfer_send(link->transfer);
}

static void on_received(void *context, char *bytes, size_t length)
{
    struct link *link = context;

    if (link->transfer != NULL)
        transfer_received(link->transfer, bytes, length);
    else
        drop(link); /* an answer that nobody asked for */
}

static void on_closed(void *context, bool opened)
{
    struct link *link = context;
    struct transfer *transfer = link->transfer;

    link->stream = NULL;
    drop(link);
    if (transfer == NULL)
        return;
    transfer->link = NULL;
    if (opened)
        transfer_lost(transfer);
    else
        streamable_unreachable(transfer);
}

/* An idle connection that the gate will not have closed; older ones are let go. */
static struct link *find_idle(struct streamable *http)
{
    uint64_t now_ms = connect_now_ms(http->connect);
    struct link *next, *found = NULL;

    for (struct link *link = http->links; link != NULL; link = next) {
        next = link->next;
        if (link->transfer != NULL)
            continue;
        if (now_ms - link->idle_since_ms > LINK_IDLE_MS)
            drop(link);
        else if (found == NULL)
            found = link;
    }
    return found;
}

static struct link *open_link(struct streamable *http)
{
    struct link *link = calloc(1, sizeof(*link));
    const struct stream_user user = {
        .context = link, .opened = on_opened, .received = on_received, .closed = on_closed};

    if (link == NULL)
        return NULL;
    link->owner = http;
    if (connect_dial(http->connect, &user, &link->stream) != OK) {
        free(link);
        return NULL;
    }
    link->next = http->links;
    http->links = link;
    http->link_count++;
    stream_pause(link->stream, http->connect->output_paused);
    return link;
}

void links_take(struct streamable *http, struct transfer *transfer)
{
    struct link *link = find_idle(http);

    if (link == NULL)
        link = open_link(http);
    if (link == NULL) {
        streamable_unreachable(transfer);
        return;
    }
    link->transfer = transfer;
    transfer->link = link;
    if (link->opened)
        transfer_send(transfer);
}

void links_give_back(struct link *link, bool reusable)
{
    link->transfer->link = NULL;
    link->transfer = NULL;
    link->idle_since_ms = connect_now_ms(link->owner->connect);
    if (!reusable)
        drop(link);
}

bool links_has_room(const struct streamable *http, bool request)
{
    size_t busy = 0;

    for (const struct link *link = http->links; link != NULL; link = link->next)
        busy += link->transfer != NULL;
    return busy < (request ? LINKS_REQUESTS_MAX : LINKS_MAX);
}

void links_pause(struct streamable *http, bool pause)
{
    for (struct link *link = http->links; link != NULL; link = link->next)
        stream_pause(link->stream, pause);
}

void links_clear(struct streamable *http)
{
    struct link *next;

    for (struct link *link = http->links; link != NULL; link = next) {
        next = link->next;
        drop(link);
    }
}
