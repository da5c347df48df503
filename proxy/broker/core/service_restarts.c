#include "broker/core/service_restarts.h"

#include "broker/core/service_wish.h"

void service_restarts_init(struct service_restarts *restarts, uv_loop_t *loop)
{
    restarts->first = NULL;
    uv_timer_init(loop, &restarts->patience);
    restarts->patience.data = restarts;
}

/* The one at `at` is told, and not waited for any more. */
static void end_restart(struct service_restarts *restarts, struct services_restart **at,
                        enum error error, const char *why)
{
    struct services_restart *one = *at;

    *at = one->next;
    if (restarts->first == NULL)
        uv_timer_stop(&restarts->patience);
    one->done(one, error, why);
}

/* Whether that is decided. The first of all again: whoever is told may ask for another. */
static bool tell_restart(struct service_restarts *restarts, struct services_restart **at)
{
    const struct surface_state *surface = (*at)->surface;
    enum service_state state = surface->service.state;

    if (!service_is_permitted(surface))
        end_restart(restarts, at, ERROR_STATE, "it was killed, or left by a reload, meanwhile");
    else if ((*at)->gone && state == SERVICE_READY)
        end_restart(restarts, at, OK, "");
    else if ((*at)->gone &&
             (state == SERVICE_WAITING || state == SERVICE_EXPOSED || state == SERVICE_STOPPED))
        end_restart(restarts, at, ERROR_STATE, surface->service.why);
    else
        return false;
    return true;
}

void service_restarts_tell(struct service_restarts *restarts)
{
    struct services_restart **at = &restarts->first;

    while (*at != NULL)
        at = tell_restart(restarts, at) ? &restarts->first : &(*at)->next;
}

/* They are in the order in which they were asked for. */
static void on_restart_patience(uv_timer_t *timer)
{
    struct service_restarts *restarts = timer->data;

    while (restarts->first != NULL && restarts->first->until_ms <= uv_now(timer->loop))
        end_restart(restarts, &restarts->first, ERROR_STATE,
                    "it is not ready yet, and is waited for no longer; it goes on starting");
    if (restarts->first != NULL)
        uv_timer_start(timer, on_restart_patience, restarts->first->until_ms - uv_now(timer->loop),
                       0);
}

void service_restarts_add(struct service_restarts *restarts, struct services_restart *one)
{
    struct services_restart **last = &restarts->first;
    uv_timer_t *timer = &restarts->patience;

    one->gone = !one->surface->service.asked;
    one->until_ms = uv_now(timer->loop) + SERVICES_RESTART_MS;
    one->next = NULL;
    while (*last != NULL)
        last = &(*last)->next;
    *last = one;
    if (restarts->first == one)
        uv_timer_start(timer, on_restart_patience, SERVICES_RESTART_MS, 0);
}

/* Nothing is left of what was to end. */
void service_restarts_pass(struct service_restarts *restarts, struct surface_state *surface)
{
    bool asked = false;

    for (struct services_restart *one = restarts->first; one != NULL; one = one->next) {
        if (surface == NULL || one->surface == surface)
            asked = one->gone = true;
    }
    if (surface != NULL && asked)
        surface->service.restarts++;
}

void service_restarts_stop(struct service_restarts *restarts)
{
    while (restarts->first != NULL)
        end_restart(restarts, &restarts->first, ERROR_STATE, "Sidelock ends first");
}
