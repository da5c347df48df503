#include "launch/supervise/refusals.h"

#include "base/buffer.h"
#include "base/log.h"

#include <string.h>

/* A path that was cut off would permit nothing. */
static void log_program(const char *name, bool at_terminal, const struct refusal *refusal)
{
    bool whole = strlen(refusal->path) < EXECUTION_SHOWN_SIZE - 1;
    struct buffer shown;
    const char *path;

    buffer_init(&shown, 6 * EXECUTION_SHOWN_SIZE + 2);
    buffer_append_json_string(&shown, refusal->path, strlen(refusal->path));
    path = buffer_failed(&shown) ? "a program" : shown.data;
    if (!at_terminal)
        log_warning("surface %s: %s of its service may not execute %s: \"executables\" does not "
                    "name it",
                    name, refusal->program, path);
    else if (whole && refusal->path[0] == '/')
        log_warning("surface %s: %s of its service may not execute %s: to permit it, "
                    "--allow-exec %s",
                    name, refusal->program, path, path);
    else
        log_warning("surface %s: %s of its service may not execute %s: --allow-exec takes its path",
                    name, refusal->program, path);
    buffer_clear(&shown);
}

void refusals_tell(struct refusals *refusals, const char *name, bool at_terminal,
                   const struct refusal *refusal)
{
    if (refusal->path[0] == '\0') {
        log_warning("surface %s: %s of its service was refused: call %u, family %u, type %u, "
                    "protocol %u (%s)",
                    name, refusal->program, refusal->call, refusal->family, refusal->type,
                    refusal->protocol, strerrorname_np(refusal->error));
        return;
    }
    for (size_t i = 0; i < refusals->count; i++) {
        if (strcmp(refusals->paths[i], refusal->path) == 0)
            return;
    }
    if (refusals->count == REFUSALS_MAX)
        return;
    memcpy(refusals->paths[refusals->count++], refusal->path, sizeof(refusals->paths[0]));
    log_program(name, at_terminal, refusal);
}
