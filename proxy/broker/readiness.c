#include "broker/readiness.h"

#include "base/buffer.h"
#include "base/log.h"
#include "broker/core/parent.h"

#include <unistd.h>

#define LINE_BYTES_MAX (64 * 1024)

/* {"ready":true,"pid":N,"surfaces":{"studio":["127.0.0.1:8081","[::1]:8081"]}} */
static void append_ready(const struct gate *gate, struct buffer *out)
{
    buffer_append_format(out, "{\"ready\":true,\"pid\":%d,\"surfaces\":{", (int)gate->pid);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];

        buffer_append_format(out, "%s\"%s\":[", i > 0 ? "," : "", surface->config->name);
        for (size_t j = 0; j < surface->listener_count; j++)
            buffer_append_format(out, "%s\"%s\"", j > 0 ? "," : "", surface->listeners[j].address);
        buffer_append_text(out, "]");
    }
    buffer_append_text(out, "}}\n");
}

static void log_listeners(const struct surface_state *surface)
{
    for (size_t i = 0; i < surface->listener_count; i++)
        log_info("surface %s listens on %s%s", surface->config->name, surface->listeners[i].address,
                 surface->killed ? " (killed)" : "");
}

void readiness_tell(const struct gate *gate, int fd)
{
    struct buffer line;

    for (size_t i = 0; i < gate->surfaces.count; i++)
        log_listeners(gate->surfaces.live[i]);
    if (parent_say(gate->parent, &(struct errand){.kind = ERRAND_READY}, -1) != OK)
        log_error("the parent has gone");
    if (fd < 0)
        return;
    buffer_init(&line, LINE_BYTES_MAX);
    append_ready(gate, &line);
    if (write(fd, line.data, line.length) != (ssize_t)line.length)
        log_warning("the readiness descriptor takes no line");
    close(fd);
    buffer_clear(&line);
}
