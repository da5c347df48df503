#include "launch/dials.h"

#include <errno.h>
#include <unistd.h>

void dials_add(struct dials *dials, uint32_t number, dial_done *done, void *data)
{
    dials->rows[dials->count].number = number;
    dials->rows[dials->count].done = done;
    dials->rows[dials->count++].data = data;
}

void dials_answer(struct dials *dials, uint32_t number, int socket, int error)
{
    for (size_t i = 0; i < dials->count; i++) {
        dial_done *done = dials->rows[i].done;
        void *data = dials->rows[i].data;

        if (dials->rows[i].number != number)
            continue;
        dials->rows[i] = dials->rows[--dials->count];
        done(data, socket, socket >= 0 ? 0 : error != 0 ? error : EPROTO);
        return;
    }
    if (socket >= 0)
        close(socket);
}

void dials_fail(struct dials *dials, int error)
{
    while (dials->count > 0) {
        dials->count--;
        dials->rows[dials->count].done(dials->rows[dials->count].data, -1, error);
    }
}
