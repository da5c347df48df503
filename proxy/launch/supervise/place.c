#include "launch/supervise/place.h"

#include "base/text.h"

#include <errno.h>

bool place_is_free(const struct place *place)
{
    return place->life == NULL && place->stdio == NULL && place->neighbour == NULL;
}

void place_end(const struct place *place, uint32_t patience_ms)
{
    if (place->life != NULL)
        life_end(place->life, patience_ms);
    else if (place->stdio != NULL)
        stdio_end(place->stdio, patience_ms);
    else if (place->neighbour != NULL)
        neighbour_end(place->neighbour);
}

void place_drop(const struct place *place)
{
    if (place->life != NULL)
        life_drop(place->life);
    if (place->stdio != NULL)
        stdio_drop(place->stdio);
    if (place->neighbour != NULL)
        neighbour_drop(place->neighbour);
}

void place_prove(const struct place *place)
{
    if (place->life != NULL)
        life_prove(place->life);
    else if (place->neighbour != NULL)
        neighbour_prove(place->neighbour);
}

void place_dial(const struct place *place, const struct visitor *visitor, dial_done *done,
                void *data)
{
    if (visitor == NULL && place->life != NULL)
        life_dial(place->life, done, data);
    else if (visitor == NULL && place->neighbour != NULL)
        neighbour_dial(place->neighbour, done, data);
    else if (visitor != NULL && place->stdio != NULL &&
             text_is_hex(visitor->session, STDIO_SESSION_SIZE - 1))
        stdio_visit(place->stdio, visitor, done, data);
    else /* it ended meanwhile */
        done(data, -1, ECONNREFUSED);
}

void place_enter(const struct place *place, dial_done *done, void *data)
{
    enum error error = ERROR_NOT_FOUND;

    if (place->life != NULL && place->life->tree != NULL)
        error = tree_enter(place->life->tree, done, data);
    if (error != OK)
        done(data, -1, error == ERROR_LIMIT ? EAGAIN : ECONNREFUSED);
}
