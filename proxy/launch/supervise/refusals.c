#include "launch/supervise/refusals.h"

#include "base/buffer.h"
#include "base/log.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

void refusals_forget(struct refusals *refusals)
{
    refusals->files.count = refusals->addresses.count = 0;
    refusals->files.more = refusals->addresses.more = false;
}

/* Whether it is the first of its kind, and there is room to tell it. */
static bool is_new(struct refusals_told *told, const char *text)
{
    for (size_t i = 0; i < told->count; i++) {
        if (strcmp(told->texts[i], text) == 0)
            return false;
    }
    if (told->count < REFUSALS_MAX)
        snprintf(told->texts[told->count++], REFUSALS_TEXT_SIZE, "%s", text);
    else if (told->more)
        return false;
    else
        told->more = true;
    return true;
}

/* A service could hide one refusal behind others. */
static const struct refusal *tell_more(const char *name, const struct refusal *refusal)
{
    static const struct refusal more = {.path = ""}, more_addresses = {.call = SYS_connect};
    const bool connection = refusal->call == SYS_connect;

    log_warning("surface %s: its service was refused %u %s, and now others, which are not told "
                "until it starts again",
                name, REFUSALS_MAX, connection ? "addresses" : "files");
    return connection ? &more_addresses : &more;
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

static const struct refusal *tell_file(struct refusals *refusals, const char *name,
                                       bool at_terminal, const struct refusal *refusal)
{
    if (!is_new(&refusals->files, refusal->path))
        return NULL;
    if (refusals->files.more)
        return tell_more(name, refusal);
    log_file(name, at_terminal, refusal);
    return refusal;
}

static const struct refusal *tell_address(struct refusals *refusals, const char *name,
                                          bool at_terminal, const struct refusal *refusal)
{
    const char *protocol = refusal->protocol == IPPROTO_TCP   ? "TCP"
                           : refusal->protocol == IPPROTO_UDP ? "UDP"
                                                              : "ICMP";
    char text[REFUSALS_TEXT_SIZE];

    snprintf(text, sizeof(text), "%s %u %s", protocol, refusal->port, refusal->path);
    if (!is_new(&refusals->addresses, text))
        return NULL;
    if (refusals->addresses.more)
        return tell_more(name, refusal);
    log_warning("surface %s: %s of its service may not connect to %s port %u by %s: %s does not "
                "permit it",
                name, refusal->program, refusal->path, refusal->port, protocol,
                at_terminal ? "--connect-port or --refuse-network" : "\"connect\"");
    return refusal;
}

const struct refusal *refusals_tell(struct refusals *refusals, const char *name, bool at_terminal,
                                    const struct refusal *refusal)
{
    if (refusal->limit != LIMIT_NONE) {
        log_limit(name, refusal->limit);
        return refusal;
    }
    if (refusal->path[0] != '\0' && refusal->call == SYS_connect)
        return tell_address(refusals, name, at_terminal, refusal);
    if (refusal->path[0] != '\0')
        return tell_file(refusals, name, at_terminal, refusal);
    log_warning("surface %s: %s of its service was refused: call %u, family %u, type %u, "
                "protocol %u (%s)",
                name, refusal->program, refusal->call, refusal->family, refusal->type,
                refusal->protocol, strerrorname_np(refusal->error));
    return NULL;
}
