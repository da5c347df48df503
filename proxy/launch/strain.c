#include "launch/strain.h"

#include "launch/common/passing.h"
#include "system/cgroup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_BYTES_MAX 512
#define PROCESSES_FILE   "pids.events"

bool strain_memory(const char *events)
{
    return cgroup_count(events, "oom_kill") > 0;
}

bool strain_processes(const char *events)
{
    return cgroup_count(events, "max") > 0;
}

static void look(struct strain *strain, enum refusal_limit limit)
{
    const bool memory = limit == LIMIT_MEMORY;
    char events[EVENTS_BYTES_MAX];

    if (strain->told[limit] ||
        cgroup_read_file(strain->group, memory ? "memory.events" : PROCESSES_FILE, events,
                         sizeof(events)) != OK)
        return;
    if (memory ? !strain_memory(events) : !strain_processes(events))
        return;
    strain->told[limit] = true;
    strain->seen(strain->data, limit);
}

/* The kernel tells of a change once; what it says is to be read from the same descriptor, or it
 * would tell again at once. */
static void on_processes(uv_poll_t *poll, int status, int events)
{
    struct strain *strain = (struct strain *)((char *)poll - offsetof(struct strain, poll));
    char ignored[EVENTS_BYTES_MAX];
    bool gone = status != 0 || pread(strain->processes, ignored, sizeof(ignored), 0) < 0;

    (void)events;
    look(strain, LIMIT_PROCESSES);
    if (gone || strain->told[LIMIT_PROCESSES])
        uv_poll_stop(poll);
}

void strain_init(struct strain *strain, void *data, strain_seen *seen)
{
    *strain = (struct strain){.group = -1, .processes = -1, .seen = seen, .data = data};
}

unsigned strain_begin(struct strain *strain, uv_loop_t *loop, int group)
{
    char ignored[EVENTS_BYTES_MAX];

    strain->group = group;
    if (group < 0)
        return 0;
    strain->processes = openat(group, PROCESSES_FILE, O_RDONLY | O_CLOEXEC);
    if (strain->processes < 0)
        return 0;
    if (uv_poll_init(loop, &strain->poll, strain->processes) != 0) {
        passing_close(&strain->processes); /* it is read at the end */
        return 0;
    }
    strain->poll.data = strain->data;
    (void)!pread(strain->processes, ignored, sizeof(ignored), 0);
    uv_poll_start(&strain->poll, UV_PRIORITIZED, on_processes);
    return 1;
}

bool strain_end(struct strain *strain, uv_close_cb closed)
{
    if (strain->group < 0)
        return false;
    look(strain, LIMIT_PROCESSES);
    look(strain, LIMIT_MEMORY);
    if (strain->processes >= 0)
        uv_close((uv_handle_t *)&strain->poll, closed);
    passing_close(&strain->processes);
    passing_close(&strain->group);
    return true;
}
