#include "connect/http/idle.h"

static void let_go(struct idle_place *place)
{
    stream_close(place->stream, false);
    place->stream = NULL;
}

/* An answer that nobody asked for. */
// NOLINTNEXTLINE(readability-non-const-parameter): other users of a stream write to the bytes
static void on_received(void *context, char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    let_go(context);
}

static void on_closed(void *context, bool opened)
{
    (void)opened;
    ((struct idle_place *)context)->stream = NULL;
}

void idle_put(struct idle *idle, struct stream *stream, uint64_t now_ms)
{
    struct idle_place *place = idle->places, *end = place + IDLE_MAX;

    while (place < end && place->stream != NULL)
        place++;
    if (place == end) {
        stream_close(stream, false);
        return;
    }
    *place = (struct idle_place){stream, now_ms};
    stream_pause(stream, false);
    stream_hand_over(stream, &(struct stream_user){
                                 .context = place, .received = on_received, .closed = on_closed});
}

struct stream *idle_take(struct idle *idle, const struct stream_user *user, uint64_t now_ms)
{
    struct stream *taken = NULL;

    for (struct idle_place *place = idle->places; place < idle->places + IDLE_MAX; place++) {
        if (place->stream == NULL)
            continue;
        if (now_ms - place->since_ms > IDLE_FOR_MS) {
            let_go(place);
        } else if (taken == NULL) {
            taken = place->stream;
            place->stream = NULL;
            stream_hand_over(taken, user);
        }
    }
    return taken;
}

void idle_clear(struct idle *idle)
{
    for (struct idle_place *place = idle->places; place < idle->places + IDLE_MAX; place++) {
        if (place->stream != NULL)
            let_go(place);
    }
}
