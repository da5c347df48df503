#include "broker/core/fresh.h"

#include "base/log.h"
#include "broker/core/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Addresses: those that stay are handed on, so that no client is refused in between ---- */

/* The same socket, as another descriptor: what runs goes on with its own. */
static bool hand_on(struct surface_state *made, size_t index, const struct surface_listener *from)
{
    int fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    struct surface_listener *to;

    if (fd < 0)
        return false;
    to = &made->listeners[made->listener_count++];
    *to = *from;
    to->fd = fd;
    to->address_index = (uint16_t)index;
    to->told = false;
    return true;
}

/* Of the addresses that are written like this one, which it is: 0 for the first. */
static size_t turn_of(const struct surface *config, size_t index)
{
    size_t turn = 0;

    for (size_t i = 0; i < index; i++)
        turn += strcmp(config->listen[i].text, config->listen[index].text) == 0;
    return turn;
}

/* What the surface of that name has for an address that is written so; also for port 0. */
static bool hand_on_same(struct surface_state *made, size_t index,
                         const struct surface_state *before)
{
    const char *text = made->config->listen[index].text;
    size_t turn = turn_of(made->config, index);
    bool done = true;

    for (size_t i = 0; before != NULL && i < before->listener_count; i++) {
        const struct surface_listener *listener = &before->listeners[i];

        if (strcmp(before->config->listen[listener->address_index].text, text) == 0 &&
            turn_of(before->config, listener->address_index) == turn)
            done = hand_on(made, index, listener) && done;
    }
    return done;
}

static bool is_new(const struct difference *difference, const char *name)
{
    return text_list_contains(&difference->added, span_of(name)) ||
           text_list_contains(&difference->changed, span_of(name));
}

/*
 * Whether the surface of that name goes on with a listener of what runs: what stays as it is does,
 * and what hand_on_same() finds again. Of port 0 no configuration shows that it is taken.
 */
static bool is_kept(const struct fresh *fresh, const struct surface_state *running,
                    const struct surface_listener *listener)
{
    const char *text = running->config->listen[listener->address_index].text;
    const struct surface *next = config_surface(fresh->bundle.config, running->config->name);

    if (next == NULL || !is_new(&fresh->difference, next->name))
        return next != NULL;
    for (size_t i = 0; i < next->listen_count; i++) {
        if (strcmp(next->listen[i].text, text) == 0 &&
            turn_of(next, i) == turn_of(running->config, listener->address_index))
            return true;
    }
    return false;
}

/* What any surface that runs has at an address and lets go of. */
static bool hand_on_at(struct surface_state *made, size_t index, const struct surfaces *surfaces,
                       const struct fresh *fresh, const char *host)
{
    uint16_t port = made->config->listen[index].port;

    for (size_t i = 0; port != 0 && i < surfaces->count; i++) {
        const struct surface_state *running = surfaces->live[i];

        for (size_t j = 0; j < running->listener_count; j++) {
            const struct surface_listener *at = &running->listeners[j];

            if (at->port == port && strcmp(at->host, host) == 0 && !is_kept(fresh, running, at)) {
                if (!hand_on(made, index, at))
                    return false;
                made->listeners[made->listener_count - 1].alone = false;
                return true;
            }
        }
    }
    return true;
}

/* Binds what of an address is not handed on; `had` of it is. */
static enum error bind_rest(struct surface_state *made, size_t index, struct opener *opener,
                            size_t had, char why[WHY_SIZE])
{
    const struct listen_address *address = &made->config->listen[index];
    bool both = strcmp(address->host, LISTENER_BOTH) == 0;
    struct listener opened[2];
    size_t count = 0;
    enum error error = OK;

    if (had == 0)
        error = opener_listen(opener, made->config, index, opened, &count, why);
    else if (both && had == 1 && made->listeners[made->listener_count - 1].alone)
        return OK; /* there was no ::1, and it is looked for */
    else if (both && had == 1)
        error = opener_listen_missing(opener, made->config, address->port, &opened[count++], why);
    if (error == ERROR_NOT_FOUND && had == 1) {
        made->listeners[made->listener_count - 1].alone = true;
        return OK;
    }
    for (size_t i = 0; error == OK && i < count; i++)
        surfaces_add_listener(made, index, &opened[i])->alone = both && had == 0 && count == 1;
    return error;
}

static enum error listen_at(const struct gate *gate, const struct fresh *fresh,
                            struct surface_state *made, size_t index, char why[WHY_SIZE])
{
    const struct listen_address *address = &made->config->listen[index];
    bool both = strcmp(address->host, LISTENER_BOTH) == 0;
    size_t before = made->listener_count;
    bool handed = hand_on_same(made, index, surfaces_find(&gate->surfaces, made->config->name));

    if (handed && made->listener_count == before && both)
        handed = hand_on_at(made, index, &gate->surfaces, fresh, LISTENER_V4) &&
                 hand_on_at(made, index, &gate->surfaces, fresh, LISTENER_V6);
    else if (handed && made->listener_count == before)
        handed = hand_on_at(made, index, &gate->surfaces, fresh, address->host);
    if (!handed)
        return error_explain(why, ERROR_IO, "a listener cannot be handed on: %s", strerror(errno));
    return bind_rest(made, index, gate->opener, made->listener_count - before, why);
}

/* ---- Surfaces ---- */

static void make_one(const struct gate *gate, struct fresh *fresh, struct json_reader *reader,
                     size_t index)
{
    struct surface *config = &fresh->bundle.config->surfaces[index];
    struct surface_state *made = &fresh->made[index];
    char why[WHY_SIZE];

    if (surfaces_make(config, made, why) != OK) {
        json_reader_fault(reader, "%s", why);
        return;
    }
    json_reader_enter(reader, "listen");
    for (size_t i = 0; i < config->listen_count; i++) {
        size_t place = json_reader_enter_index(reader, i);

        if (listen_at(gate, fresh, made, i, why) != OK)
            json_reader_fault(reader, "%s", why);
        json_reader_leave(reader, place);
    }
}

static enum error make_all(const struct gate *gate, struct fresh *fresh)
{
    const struct config *config = fresh->bundle.config;
    struct json_reader reader = {
        .text = fresh->bundle.text, .length = fresh->bundle.length, .faults = &fresh->faults};

    json_reader_enter(&reader, "surfaces");
    for (size_t i = 0; i < config->surface_count; i++) {
        const char *name = config->surfaces[i].name;
        size_t place = json_reader_enter(&reader, name);

        if (is_new(&fresh->difference, name))
            make_one(gate, fresh, &reader, i);
        json_reader_leave(&reader, place);
    }
    json_faults_sort(&fresh->faults);
    return json_reader_result(&reader);
}

static enum error read_configuration(const struct gate *gate, struct fresh *out)
{
    enum error error = opener_read(gate->opener, &out->bundle, &out->faults);

    if (error == OK)
        error = difference_find(gate->bundle, &out->bundle, gate->surfaces.connections_max,
                                &out->difference, &out->faults);
    return error == OK ? make_all(gate, out) : error;
}

/* A gate that was not started from a file has none to read. */
enum error fresh_read(const struct gate *gate, int64_t now, struct fresh *out)
{
    enum error error = gate->bundle != NULL ? read_configuration(gate, out) : OK;

    out->certificates.config =
        out->bundle.config != NULL ? out->bundle.config : gate->surfaces.config;
    out->certificates.opener = gate->opener;
    out->certificates.now = now;
    if (error != OK)
        return error;
    surfaces_read_certificates(&out->certificates);
    return out->certificates.error;
}

void fresh_clear(struct fresh *fresh)
{
    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++)
        surfaces_unmake(&fresh->made[i]);
    for (size_t i = 0; i < fresh->descriptor_count; i++)
        close(fresh->descriptors[i]);
    free(fresh->descriptors);
    surfaces_drop_certificates(&fresh->certificates);
    difference_clear(&fresh->difference);
    bundle_clear(&fresh->bundle);
}
