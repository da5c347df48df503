#include "launch/supervise/stdio.h"

#include "launch/supervise/sitting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stdio {
    struct stdio_rooms rooms;
    struct stdios *shared;
    uint32_t slot;
    struct sitting *sittings;
    unsigned sitting_count;
    uv_timer_t patience;
    bool ending, gone;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void stdio_drop(struct stdio *stdio)
{
    struct sitting *sitting = stdio->sittings, *next;

    for (; sitting != NULL; sitting = next) {
        next = sitting->next;
        sitting_drop(sitting);
    }
    uv_close((uv_handle_t *)&stdio->patience, on_closed);
}

/* ---- The end ---- */

static void look_whether_gone(struct stdio *stdio)
{
    if (!stdio->ending || stdio->gone || stdio->sittings != NULL)
        return;
    stdio->gone = true;
    stdio->shared->gone(stdio->shared->context, stdio->slot);
    uv_close((uv_handle_t *)&stdio->patience, on_closed);
}

/* One of them may be over in the call. */
static void end_all(struct stdio *stdio, bool now)
{
    struct sitting *sitting = stdio->sittings, *next;

    for (; sitting != NULL; sitting = next) {
        next = sitting->next;
        sitting_end(sitting, now);
    }
    look_whether_gone(stdio);
}

static void on_patience_over(uv_timer_t *timer)
{
    end_all(timer->data, true);
}

void stdio_end(struct stdio *stdio, uint32_t patience_ms)
{
    stdio->ending = true;
    if (patience_ms > 0)
        uv_timer_start(&stdio->patience, on_patience_over, patience_ms, 0);
    end_all(stdio, patience_ms == 0);
}

static struct sitting *find(const struct stdio *stdio, const char *session)
{
    struct sitting *sitting = stdio->sittings;

    while (sitting != NULL && (sitting->ending || strcmp(sitting->session, session) != 0))
        sitting = sitting->next;
    return sitting;
}

void stdio_leave(struct stdio *stdio, const char *session)
{
    struct sitting *sitting = find(stdio, session);

    if (sitting != NULL)
        sitting_end(sitting, true);
}

/* ---- What a sitting tells ---- */

static void say(const struct stdio *stdio, enum errand_kind kind, uint32_t number,
                const char *session)
{
    stdio->shared->say(
        stdio->shared->context,
        &(struct errand){.kind = kind, .place = stdio->slot, .number = number, .text = session});
}

static void on_refused(void *context, struct sitting *sitting, enum quota row)
{
    const struct stdio *stdio = context;

    say(stdio, ERRAND_FULL, row, sitting->session);
}

static void on_counted(void *context)
{
    const struct stdio *stdio = context;

    say(stdio, ERRAND_PROCESSES, stdio->rooms.process_count, NULL);
}

/* Another one of the same session may have begun meanwhile: the broker knows it by its number. */
static void on_over(void *context, struct sitting *sitting)
{
    struct stdio *stdio = context;
    struct sitting **at = &stdio->sittings;

    while (*at != sitting)
        at = &(*at)->next;
    *at = sitting->next;
    stdio->sitting_count--;
    say(stdio, ERRAND_LEFT, sitting->visit, sitting->session);
    look_whether_gone(stdio);
}

/* ---- Beginning, and who comes ---- */

enum error stdio_begin(struct stdios *stdios, uint32_t slot, const char *name, struct stdio **out)
{
    struct stdio *stdio = calloc(1, sizeof(*stdio));

    if (stdio == NULL)
        return ERROR_MEMORY;
    stdio->shared = stdios;
    stdio->slot = slot;
    stdio->rooms = (struct stdio_rooms){.lives = stdios->lives,
                                        .slot = slot,
                                        .refused = on_refused,
                                        .counted = on_counted,
                                        .over = on_over,
                                        .context = stdio};
    snprintf(stdio->rooms.name, sizeof(stdio->rooms.name), "%s", name);
    uv_timer_init(stdios->lives->loop, &stdio->patience);
    stdio->patience.data = stdio;
    *out = stdio;
    return OK;
}

static int errno_of(enum error error)
{
    switch (error) {
    case ERROR_DENIED:
    case ERROR_INVALID:
        return EACCES;
    case ERROR_EXISTS: /* as many as there may be */
        return EDQUOT;
    case ERROR_MEMORY:
        return ENOMEM;
    case ERROR_LIMIT:
        return EAGAIN;
    default:
        return ECONNRESET;
    }
}

static enum error open_sitting(struct stdio *stdio, const char *session, int record,
                               struct sitting **out)
{
    enum error error;

    /* Each may have a process of its own. */
    if (stdio->sitting_count >= quota_info(QUOTA_SURFACE_PROCESSES)->limit) {
        say(stdio, ERRAND_FULL, QUOTA_SURFACE_PROCESSES, session);
        return ERROR_EXISTS;
    }
    error = sitting_begin(&stdio->rooms, session, record, out);
    if (error != OK)
        return error;
    (*out)->next = stdio->sittings;
    stdio->sittings = *out;
    stdio->sitting_count++;
    return OK;
}

/* One that brings no sitting about leaves nothing. */
void stdio_visit(struct stdio *stdio, const struct visitor *visitor, dial_done *done, void *data)
{
    struct sitting *sitting = find(stdio, visitor->session);
    enum error error = stdio->ending ? ERROR_STATE : OK;
    int fd = -1, why = 0;

    if (error == OK && sitting == NULL)
        error = open_sitting(stdio, visitor->session, visitor->record, &sitting);
    if (error == OK) {
        sitting->visit = visitor->number;
        fd = sitting_dial(sitting);
        why = fd < 0 ? errno : 0;
    } else {
        why = errno_of(error);
        say(stdio, ERRAND_LEFT, visitor->number, visitor->session);
    }
    done(data, fd, why);
}
