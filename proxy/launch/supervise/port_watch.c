#include "launch/supervise/port_watch.h"

#include "launch/supervise/port_list.h"

#include <stdio.h>
#include <string.h>

static void on_list(uv_timer_t *timer)
{
    struct port_watch *watch = timer->data;

    if (watch->listing || watch->tree == NULL)
        return;
    watch->listed[0] = '\0';
    watch->listing = tree_list(watch->tree) == OK;
}

/* Programs try for a port before they take it: whether it is there still is asked once more. */
static void on_settle(uv_timer_t *timer)
{
    struct port_watch *watch = timer->data;

    if (watch->listing) {
        uv_timer_start(timer, on_settle, 1, 0);
        return;
    }
    watch->settling = true;
    on_list(&watch->lists);
}

void port_watch_port(struct port_watch *watch, const struct port *port)
{
    port_list_add(watch->listed, port);
    if (watch->candidate == 0 && watch->owner.fits(watch->owner.data, port)) {
        watch->candidate = (uint16_t)port->number;
        uv_timer_start(&watch->settles, on_settle, PORT_WATCH_SETTLE_MS, 0);
    }
    /* It came by itself: what there is now is asked for. */
    if (!watch->listing && uv_is_active((uv_handle_t *)&watch->lists))
        uv_timer_start(&watch->lists, on_list, 0, PORT_WATCH_LIST_MS);
}

void port_watch_listed(struct port_watch *watch)
{
    uint16_t candidate = watch->candidate;
    char port[16];

    watch->listing = false;
    if (strcmp(watch->ports, watch->listed) != 0) {
        memcpy(watch->ports, watch->listed, sizeof(watch->ports));
        watch->owner.changed(watch->owner.data);
    }
    if (!watch->settling)
        return;
    watch->settling = false;
    watch->candidate = 0;
    snprintf(port, sizeof(port), "%u/tcp", candidate);
    if (port_list_has(watch->ports, port))
        watch->owner.found(watch->owner.data, candidate);
}

void port_watch_init(struct port_watch *watch, uv_loop_t *loop,
                     const struct port_watch_owner *owner)
{
    *watch = (struct port_watch){.owner = *owner};
    uv_timer_init(loop, &watch->lists);
    uv_timer_init(loop, &watch->settles);
    watch->lists.data = watch->settles.data = watch;
}

void port_watch_close(struct port_watch *watch, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&watch->lists, closed);
    uv_close((uv_handle_t *)&watch->settles, closed);
}

void port_watch_begin(struct port_watch *watch, struct tree *tree)
{
    watch->tree = tree;
    uv_timer_start(&watch->lists, on_list, PORT_WATCH_LIST_MS, PORT_WATCH_LIST_MS);
}

void port_watch_end(struct port_watch *watch)
{
    watch->tree = NULL;
    watch->ports[0] = watch->listed[0] = '\0';
    watch->candidate = 0;
    watch->listing = watch->settling = false;
    uv_timer_stop(&watch->lists);
    uv_timer_stop(&watch->settles);
}

void port_watch_again(struct port_watch *watch)
{
    watch->candidate = 0;
    uv_timer_start(&watch->lists, on_list, 0, PORT_WATCH_LIST_MS);
}
