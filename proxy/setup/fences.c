#include "setup/fences.h"

#include "system/cgroup.h"
#include "system/execution_fence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool fences_limit_connects(const struct surface_command *command)
{
    const struct surface_connect *connect = &command->connect;

    return connect->ports_limited || connect->refused.count > 0 || connect->no_datagrams;
}

uint32_t fences_promised(const struct surface_command *command)
{
    return FENCES_SERVICE | (command->execute_anything ? 0 : FENCE(EXECUTE)) |
           (command->write_limited ? FENCE(WRITE) : 0) |
           (fences_limit_connects(command) ? FENCES_REACH : 0) |
           (command->use.memory_mib > 0 ? FENCE(MEMORY) : 0) |
           (command->use.processes > 0 ? FENCE(PROCESSES) : 0);
}

/* An ordinary user's tree has a user namespace, in which the kernel counts its processes
 * (launch/keeper/leader.c). */
static uint32_t use_held(void)
{
    return cgroup_fences() | (geteuid() != 0 ? FENCE(PROCESSES) : 0);
}

uint32_t fences_lacking(uint32_t promised, unsigned landlock)
{
    /* What is written is held by mounts, and abstract names are private, on every kernel
     * that services are launched on. */
    uint32_t lacking = fence_kinds_lacking(promised & ~(FENCE(WRITE) | FENCE(ABSTRACT)), landlock);

    if (execution_fence_lacks(landlock) != NULL)
        lacking |= promised & FENCE(EXECUTE);
    if ((promised & FENCES_USE) != 0)
        lacking |= promised & FENCES_USE & ~use_held();
    return lacking;
}

/* ---- What is required ---- */

uint32_t fences_required(const struct surface_command *command)
{
    uint32_t required = 0;

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        const char *name = fence_kind_name((enum fence_kind)kind);

        for (size_t i = 0; i < command->required.count; i++) {
            if (strcmp(command->required.items[i], name) == 0)
                required |= UINT32_C(1) << kind;
        }
    }
    return required;
}

static const char *linux_of(unsigned landlock)
{
    static const char *const versions[] = {"", "5.13", "5.19", "6.2", "6.7", "6.10", "6.12"};

    return landlock < sizeof(versions) / sizeof(versions[0]) ? versions[landlock] : "6.12";
}

static enum error tell_unlimited(const char *member, enum fence_kind kind,
                                 struct service_fault *fault)
{
    return program_fault(
        fault, member,
        "\"%s\" is required, and takes a control group of version 2 with its controller that is "
        "delegated to the gate (\"Delegate=memory pids\" in its unit), which this one has not: "
        "give "
        "it one, or do not require it.",
        fence_kind_name(kind));
}

static enum error tell_unheld(const char *member, enum fence_kind kind, unsigned landlock,
                              struct service_fault *fault)
{
    const char *unheld = kind == FENCE_EXECUTE ? execution_fence_lacks(landlock) : NULL;
    const unsigned since = fence_kind_since(kind);
    char has[64] = "none, or hides it (lsm=landlock on its command line shows it)";

    if ((FENCES_USE & UINT32_C(1) << kind) != 0)
        return tell_unlimited(member, kind, fault);
    if (landlock > 0)
        snprintf(has, sizeof(has), "version %u", landlock);
    if (unheld != NULL)
        return program_fault(fault, member,
                             "\"execute\" is required, and this kernel lacks %s: run a newer one, "
                             "or do not require it.",
                             unheld);
    return program_fault(
        fault, member,
        "\"%s\" is required, and takes Landlock of version %u (Linux %s); this kernel "
        "has %s: run a newer one, or do not require it.",
        fence_kind_name(kind), since, linux_of(since), has);
}

/* As of this kernel and this process. */
struct judge {
    unsigned landlock;
    uint32_t unjudged;
};

static enum error require(const struct surface_command *command, const char *name,
                          const char *member, const struct judge *judge,
                          struct service_fault *fault)
{
    const uint32_t promised = fences_promised(command);
    char names[FENCE_NAMES_SIZE];

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        const uint32_t fence = UINT32_C(1) << kind;

        if (strcmp(name, fence_kind_name((enum fence_kind)kind)) != 0 || (promised & fence) == 0)
            continue;
        if ((fences_lacking(fence & ~judge->unjudged, judge->landlock) & fence) == 0)
            return OK;
        return tell_unheld(member, (enum fence_kind)kind, judge->landlock, fault);
    }
    return program_fault(fault, member,
                         "This service is promised no fence \"%.32s\" that could be required; "
                         "by its configuration these are: %s.",
                         name, fence_kinds_print(promised, names));
}

enum error fences_require(const struct surface_command *command, unsigned landlock,
                          uint32_t unjudged, struct service_fault *fault)
{
    const struct judge judge = {landlock, unjudged};
    enum error error = OK;

    for (size_t i = 0; error == OK && i < command->required.count; i++) {
        char member[32];

        snprintf(member, sizeof(member), "require/%zu", i);
        error = require(command, command->required.items[i], member, &judge, fault);
    }
    return error;
}

/* ---- What is said ---- */

__attribute__((format(printf, 2, 3))) static void append(char out[FENCES_SENTENCE_SIZE],
                                                         const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;

    if (length > 0 && length + 2 < FENCES_SENTENCE_SIZE) {
        memcpy(out + length, "; ", sizeof("; "));
        length += 2;
    }
    va_start(arguments, format);
    vsnprintf(out + length, FENCES_SENTENCE_SIZE - length, format, arguments);
    va_end(arguments);
}

bool fences_tell_lacking(uint32_t lacking, unsigned landlock, char out[FENCES_SENTENCE_SIZE])
{
    const uint32_t advisory = lacking & ~(FENCES_SECOND_LOCKS | FENCES_USE | FENCE(EXECUTE));
    const char *unheld = execution_fence_lacks(landlock);
    char names[FENCE_NAMES_SIZE];

    out[0] = '\0';
    if ((lacking & FENCE(EXECUTE)) != 0)
        append(out, "what it may execute is advisory alone (this kernel lacks %s)",
               unheld != NULL ? unheld : "what holds it");
    if (advisory != 0)
        append(out, "of its fences these are advisory: %s", fence_kinds_print(advisory, names));
    if ((lacking & FENCES_USE) != 0)
        append(out,
               "these limits are advisory unless the gate is given a control group "
               "(\"Delegate=memory pids\" in its unit): %s",
               fence_kinds_print(lacking & FENCES_USE, names));
    if ((lacking & FENCES_SECOND_LOCKS) != 0)
        append(out, "these second locks are not there: %s",
               fence_kinds_print(lacking & FENCES_SECOND_LOCKS, names));
    return out[0] != '\0';
}

static void tell_connects(const struct surface_connect *connect, struct buffer *out)
{
    if (connect->ports_limited) {
        buffer_append_text(out, "; by TCP it may connect to ");
        buffer_append_text(out, connect->port_count > 0 ? "these ports alone" : "no port");
        for (size_t i = 0; i < connect->port_count; i++)
            buffer_append_format(out, ", %u", connect->ports[i]);
    }
    if (connect->refused.count > 0)
        buffer_append_text(out, "; it may connect to nothing in");
    for (size_t i = 0; i < connect->refused.count; i++)
        buffer_append_format(out, "%s %s", i > 0 ? "," : "", connect->refused.items[i]);
    if (connect->no_datagrams)
        buffer_append_text(out, "; nothing of it leaves by UDP");
}

void fences_tell_limits(const struct surface_command *command, struct buffer *out)
{
    if (command->write_limited)
        buffer_append_text(out, "; it may write nothing but what is its own");
    for (size_t i = 0; command->write_limited && i < command->writable.count; i++)
        buffer_append_format(out, ", %s", command->writable.items[i]);
    tell_connects(&command->connect, out);
}
