#include "launch/supervise/refusals.h"

#include "base/buffer.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

static bool is_told(const struct refusals *refusals, const char *path)
{
    for (size_t i = 0; i < refusals->count; i++) {
        if (strcmp(refusals->paths[i], path) == 0)
            return true;
    }
    return false;
}

/* A service could hide one refusal behind others. */
static const struct refusal *tell_more(struct refusals *refusals, const char *name)
{
    static const struct refusal more = {.path = ""};

    if (refusals->more)
        return NULL;
    refusals->more = true;
    log_warning("surface %s: its service was refused %u files, and now others, which are not told "
                "until it starts again",
                name, REFUSALS_MAX);
    return &more;
}

/* The option and its value, to be copied: nothing a shell could make something else of. A path
 * that was cut off would permit nothing. */
static bool append_option(struct buffer *out, const struct refusal *refusal)
{
    bool code = refusal->call == SYS_mmap;
    size_t before = out->length, length = strlen(refusal->path);
    char place[EXECUTION_SHOWN_SIZE];

    if (length == EXECUTION_SHOWN_SIZE - 1 || refusal->path[0] != '/')
        return false;
    if (code)
        length = (size_t)(strrchr(refusal->path, '/') - refusal->path);
    snprintf(place, sizeof(place), "%.*s", (int)length, refusal->path);
    buffer_append_text(out, code ? "--allow-library " : "--allow-exec ");
    if (place[0] != '\0' && buffer_append_word(out, place))
        return true;
    buffer_truncate(out, before);
    return false;
}

static void log_file(const char *name, bool at_terminal, const struct refusal *refusal)
{
    bool code = refusal->call == SYS_mmap;
    struct buffer shown;

    buffer_init(&shown, 12 * EXECUTION_SHOWN_SIZE);
    buffer_append_json_string(&shown, refusal->path, strlen(refusal->path));
    buffer_append_text(&shown, at_terminal ? ": to permit it, " : ": ");
    if (!at_terminal)
        buffer_append_text(&shown, code ? "\"libraries\" does not name its directory"
                                        : "\"executables\" does not name it");
    else if (!append_option(&shown, refusal))
        buffer_append_text(&shown, code ? "--allow-library takes its directory"
                                        : "--allow-exec takes its path");
    log_warning("surface %s: %s of its service may not %s %s", name, refusal->program,
                code ? "load code from" : "execute", buffer_failed(&shown) ? "a file" : shown.data);
    buffer_clear(&shown);
}

static void log_limit(const char *name, enum refusal_limit limit)
{
    static const char *const sentences[LIMIT_COUNT] = {
        [LIMIT_MEMORY] = "its service needed more memory than it may use, and was ended: "
                         "\"memory_mib\" of its \"limits\" is too little, or it takes too much",
        [LIMIT_PROCESSES] = "its service was refused a process or thread: it has as many as "
                            "\"processes\" of its \"limits\" says"};

    log_warning("surface %s: %s", name, sentences[limit]);
}

const struct refusal *refusals_tell(struct refusals *refusals, const char *name, bool at_terminal,
                                    const struct refusal *refusal)
{
    if (refusal->limit != LIMIT_NONE) {
        log_limit(name, refusal->limit);
        return refusal;
    }
    if (refusal->path[0] == '\0') {
        log_warning("surface %s: %s of its service was refused: call %u, family %u, type %u, "
                    "protocol %u (%s)",
                    name, refusal->program, refusal->call, refusal->family, refusal->type,
                    refusal->protocol, strerrorname_np(refusal->error));
        return NULL;
    }
    if (is_told(refusals, refusal->path))
        return NULL;
    if (refusals->count == REFUSALS_MAX)
        return tell_more(refusals, name);
    memcpy(refusals->paths[refusals->count++], refusal->path, sizeof(refusals->paths[0]));
    log_file(name, at_terminal, refusal);
    return refusal;
}
